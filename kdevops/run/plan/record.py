"""What it takes to do a run again, and whether what is built now is still what a run was made of."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import kdevops
from kdevops.errors import BootError, InfrastructureError, UserError
from kdevops.lab.joined import stored_lab
from kdevops.lab.load import LoadedLab
from kdevops.lab.model import Lab
from kdevops.results.boot_failure import BOOT_FAILURE
from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.store import JSON, Run
from kdevops.run.built import Built
from kdevops.run.plan.known import known_record
from kdevops.suites.registry import origins_of

COMPARED_WITH = "compared_with"
"""In the record of a run under test: the run of its baseline arm."""
OUTSIDE = "suites_from"
"""In the record of a run: `{suite: "toy-suite 1.0"}`, the distributions that suites which are not ours are from."""
BOOTED = "booted"
"""In the record of a run: a guest of it came up."""
_TROUBLE = "trouble"
_HAPPENED = frozenset({BOOTED, _TROUBLE, BOOT_FAILURE, STRAY_REPORTS, "acceleration", "guests"})


def record_of(loaded: LoadedLab, built: Built) -> dict[str, JSON]:
    """The record of a new run."""
    return {
        **_maker(),
        "lab": loaded.lab.model_dump(mode="json"),
        "lab_file": str(loaded.path),
        "baseline": str(loaded.baseline),
        **facts(loaded.lab, built),
    }


def _maker() -> dict[str, JSON]:
    host = {"machine": platform.machine(), "kernel": platform.release(), "python": platform.python_version()}
    return {"kdevops": kdevops.__version__, "host": host}


def facts(lab: Lab, built: Built) -> dict[str, JSON]:
    """The part of a record that tells what was built."""
    artifact = built.artifact
    kernel: dict[str, Any] = {"key": artifact.key, "release": artifact.release, "build_id": artifact.build_id}
    return {
        "kernel": {**kernel, **artifact.record},
        "image": dict(built.origin),
        "suites": {suite.name: dict(suite.record) for suite in built.suites},
        OUTSIDE: origins_of(lab),
        **known_record(lab, built.suites),
    }


def trouble_record(error: InfrastructureError | None) -> dict[str, JSON]:
    """The part of a run's record that `trouble_of` reads: the last trouble of its guests, None for none."""
    if error is None:
        return {_TROUBLE: None}
    said = error.console if isinstance(error, BootError) else ""
    log = str(error.log) if error.log else None
    return {_TROUBLE: {"message": error.message, "hint": error.hint, "log": log, "console": said}}


def trouble_of(run: Run) -> InfrastructureError | None:
    """Why all guests of an interrupted run were given up, or the last trouble of one that has ended; None for none."""
    said: dict[str, Any] | None = run.record.get(_TROUBLE)
    if not said:
        return None
    go_on = f"when that is mended, go on with the run: kdevops resume {run.id}"
    hint = said["hint"] if run.ended else "; ".join(filter(None, [said["hint"], go_on]))
    return BootError(
        said["message"], console=said["console"], hint=hint, log=Path(said["log"]) if said["log"] else None
    )


def as_asked(run: Run) -> dict[str, JSON]:
    """The record of a run without what happened in it, for another run of the same, which is run by this kdevops here."""
    return {name: value for name, value in run.record.items() if name not in _HAPPENED} | _maker()


def check_same(run: Run, built: Built) -> None:
    """Raise UserError when what would be tested now is not what `run` tests: another kernel, other tests."""
    then = run.record
    changed = [f"suite {suite.name}" for suite in built.suites if dict(suite.record) != then["suites"].get(suite.name)]
    changed += [
        f"suite {name} ({then.get(OUTSIDE, {}).get(name) or 'ours'} then, {where} now)"
        for name, where in origins_of(lab_of(run)).items()
        if then.get(OUTSIDE, {}).get(name) != where
    ]
    if built.artifact.key != then["kernel"]["key"]:
        changed.insert(0, "kernel")
    if changed:
        raise UserError(
            f"what would be tested now is not what run {run.id} tests: its {' and '.join(changed)} changed since",
            hint="put the sources back as they were, or begin a new run: kdevops run",
        )


def compared_with(run: Run) -> int | None:
    """The run of the baseline kernel that this one is compared with, None for a run of its own."""
    return run.record.get(COMPARED_WITH)


def kernel_release(run: Run) -> str:
    """The release of the kernel that a run tests."""
    return str(run.record["kernel"]["release"])


def lab_of(run: Run) -> Lab:
    """The lab a run was made from, as it was then. Raises UserError when there was none, or this version cannot read it."""
    if imported := run.record.get("imported"):
        raise UserError(
            f"run {run.id} was imported from {imported['directory']}: no lab of ours has made it",
            hint="make a lab that runs the same tests: kdevops lab init",
        )
    try:
        return stored_lab(run.record["lab"])
    except UserError as error:
        where = ", ".join(sorted(run.record.get(OUTSIDE, {}).values()))
        raise UserError(
            f"the lab of run {run.id} cannot be had again: {error.message}",
            hint=f"install what it ran with: {where}" if where else error.hint,
        ) from error
    except ValueError as error:
        raise UserError(f"the lab of run {run.id} cannot be read by this version of kdevops: {error}") from error
