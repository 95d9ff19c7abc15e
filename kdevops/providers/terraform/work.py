"""Operations on a lab's Terraform directory, independent of the current lab file: `init`, and destroying everything."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from kdevops.errors import InfrastructureError
from kdevops.files import digest_of, locked, sha256_of, write_atomic
from kdevops.paths import cache_dir
from kdevops.progress import Progress, Report
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.terraform import record as terraform_record
from kdevops.providers.terraform import render
from kdevops.providers.terraform.destroying import After, Kept, Rest, Task, rest, task
from kdevops.providers.terraform.record import Record
from kdevops.providers.terraform.states import lost_sight_of
from kdevops.providers.terraform.tool import GRACE, TerraformTool, find_tool
from kdevops.text import clean

STEP = "machines"
PLAN = ".kdevops.tfplan"
"""The name of a plan until it is applied; it may contain secrets."""
_LOCK_FILE = ".terraform.lock.hcl"
_FINISHED = re.compile(r": (?:Creation|Modifications|Destruction) complete\b")
_NEWS = re.compile(
    r": (?:Creating|Modifying|Destroying|Still \w+|Creation|Modifications|Destruction)\b|^- Installing |^Acquiring state lock"
)


async def destroy(
    directory: LabDirectory, report: Report, *, wanted: str | None = None, cache: Path | None = None
) -> None:
    """Destroy all machines of the lab whose files are in `directory`, including leftovers of an interrupted command.

    `wanted` is the tool that the lab names. Raises InfrastructureError with the names if something is left.
    """
    cache = cache or cache_dir()
    root = directory.path / "terraform"
    record = terraform_record.load(directory.path)
    kept = Kept(
        render.is_rendered(root),
        record is not None,
        (root / "terraform.tfstate").exists(),
        (root / "backend.tf.json").exists(),
    )
    match task(kept):
        case Task.NOTHING:
            return
        case Task.OUT_OF_SIGHT:
            assert record
            raise _out_of_sight(record, [f"{name} ({place.identity})" for name, place in record.places.items()], root)
        case Task.DESTROY:
            pass
    tool = tool_of(directory, _to_destroy_with(wanted, record), report, cache)
    await tool.check_version()
    await initialise(tool, report, cache)
    await tool.push_errored()
    unknown = bool(record and record.places and not await tool.resources())
    report(Progress(STEP, "destroying"))
    await tool.destroy()
    more, left = await _more_to_destroy(tool), await tool.resources()
    running = await lost_sight_of(record) if record and unknown and not (more or left) else ()
    match rest(After(more, bool(left), bool(running))):
        case Rest.LEFT:
            raise _not_everything(left, tool)
        case Rest.OUT_OF_SIGHT:
            assert record
            raise _out_of_sight(record, running, root)
        case Rest.NONE:
            terraform_record.forget(directory.path)
            render.forget_backend(root)
            report(Progress(STEP, "destroyed, nothing is left", fraction=1.0, done=True))


async def _more_to_destroy(tool: TerraformTool) -> bool:
    plan = tool.root / PLAN
    try:
        return await tool.plan(plan, destroy=True)
    finally:
        plan.unlink(missing_ok=True)


def _not_everything(left: Sequence[str], tool: TerraformTool) -> InfrastructureError:
    named = clean(", ".join(left[:10]) or "unknown resources", 300)
    return InfrastructureError(
        f"not everything was destroyed: {named}{f' and {len(left) - 10} more' if len(left) > 10 else ''}",
        hint="try again: kdevops down; what stays costs money and must be removed manually",
        log=tool.log,
    )


def _out_of_sight(record: Record, machines: Sequence[str], root: Path) -> InfrastructureError:
    """The error for machines of which Terraform has lost its state."""
    named = clean(", ".join(machines) or ", ".join(record.nodes), 300)
    return InfrastructureError(
        f"Terraform knows nothing any more of machines of lab {record.lab} in {record.where}: {named}; {root} lost its files",
        hint=f"they cost money: destroy them manually, then remove {terraform_record.path_of(root.parent)}",
    )


def _to_destroy_with(wanted: str | None, record: Record | None) -> str | None:
    """The lab's program, else (also if that is missing) the one that created the machines and can read their state."""
    there = record.tool if record and record.tool and Path(record.tool).exists() else None
    if wanted and there and not shutil.which(os.path.expanduser(wanted)):  # noqa: PTH111 - it may be a name without a path
        return there
    return wanted or there


def tool_of(directory: LabDirectory, wanted: str | None, report: Report, cache: Path) -> TerraformTool:
    """The tool for a lab's files; its actions are reported as they happen. Raises UserError if there is none."""
    finished = 0

    def listen(line: str) -> None:
        nonlocal finished
        finished += bool(_FINISHED.search(line))
        if line.startswith("Interrupt received"):
            report(Progress(STEP, f"interrupted: finishing what was begun, for {GRACE:.0f} s at most", done=True))
        if _NEWS.search(line):
            report(Progress(STEP, clean(line, 150) + (f" ({finished} done)" if finished else "")))

    return TerraformTool(
        find_tool(wanted), directory.path / "terraform", directory.path / "terraform.log", cache / "terraform", listen
    )


async def initialise(tool: TerraformTool, report: Report, cache: Path) -> None:
    """Run `terraform init`, unless it was done for the same configuration."""
    note, lock = tool.root / render.INITIALISED, tool.root / _LOCK_FILE
    configuration = render.digest_of_root(tool.root)

    def facts() -> str:
        there = (tool.root / ".terraform").is_dir()  # not created without a provider and a backend
        return digest_of([configuration, str(tool.binary), there, sha256_of(lock) if lock.exists() else ""])

    with contextlib.suppress(OSError):
        if note.read_text() == facts():
            return
    kept = cache / "terraform-locks" / f"{digest_of([configuration, tool.binary.name])[:32]}.hcl"
    if kept.exists() and not lock.exists():
        # Without it Terraform does not use its plugin cache, and downloads the same provider for each lab.
        write_atomic(lock, kept.read_bytes())
    report(Progress(STEP, f"{tool.binary.name} init: downloading missing providers"))
    async with locked(cache / "terraform.lock", report=report, step=STEP):  # one user of the plugin cache at a time
        await tool.init()
    if lock.exists():
        write_atomic(kept, lock.read_bytes())
    write_atomic(note, facts())
