"""Build kselftest on the controller, outside the source tree, target by target, into a tar archive for the guests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from asyncio import to_thread
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from kdevops.errors import UserError
from kdevops.files import fsync_dir, locked, sha256_of
from kdevops.process import run
from kdevops.progress import Progress, Report
from kdevops.suites.selftests.catalogue import InstalledTest, check_targets, directory, read_list
from kdevops.suites.shared.make import ENVIRONMENT, Errors
from kdevops.suites.shared.pack import pack

STEP = "selftests build"
_MANIFEST = "manifest.json"
_PAYLOAD = "payload.tar"
Compiler = Literal["gcc", "clang"]
_MAKE_TIMEOUT = 3600.0
"""Seconds for one target; bpf, the slowest, needs minutes."""


@dataclass(frozen=True, slots=True)
class SelftestsBuild:
    """Selftests built for a guest. `payload` is a plain tar of the installation, `digest` its sha256.

    `troubles` maps a target to its first build error, if only some of its tests were built.
    """

    payload: Path
    digest: str
    tests: tuple[InstalledTest, ...]
    troubles: Mapping[str, str] = field(default_factory=dict)


async def build(
    tree: Path,
    build_dir: Path,
    targets: Sequence[str],
    *,
    cache: Path,
    key: str,
    report: Report,
    compiler: Compiler = "gcc",
) -> SelftestsBuild:
    """Build `targets` of `tree`; the result stays in `cache` under `key` and the targets.

    `key` identifies the tree's content and the compiler. `build_dir` keeps objects for the next build; different trees
    or compilers must not share it. The tree is only read (by us and by most targets; bpf's own Makefile leaves
    generated headers in its source directory).

    Raises UserError for an unknown target and for one without tests, with the compiler's first error.
    """
    check_targets(tree, targets)
    name = hashlib.sha256(json.dumps([key, sorted(set(targets))]).encode()).hexdigest()[:32]
    done = cache / "selftests" / name
    if found := _load(done):
        report(Progress(STEP, "already built", fraction=1.0, done=True))
        return found
    done.parent.mkdir(parents=True, exist_ok=True)
    build_dir.mkdir(parents=True, exist_ok=True)
    async with locked(build_dir / ".lock", report=report, step=STEP):
        with tempfile.TemporaryDirectory(dir=done.parent, prefix=".new-") as temporary:
            work = Path(temporary)
            install = work / "install"
            troubles = await _make(tree, build_dir, sorted(set(targets)), install, compiler, report)
            report(Progress(STEP, "packing", fraction=0.95))
            await to_thread(_pack, work, install, troubles)
            _publish(work, done)
    report(Progress(STEP, f"{len(set(targets))} targets", fraction=1.0, done=True))
    built = _load(done)
    assert built
    return built


async def _make(
    tree: Path, build_dir: Path, targets: Sequence[str], install: Path, compiler: Compiler, report: Report
) -> Mapping[str, str]:
    """Make and install; returns build errors by target. `install/kselftest-list.txt` lists the tests of all targets."""
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    # Only LLVM, no CC: lib.mk derives the compiler and its flags from LLVM, and CC would override that.
    llvm = f"LLVM={'1' if compiler == 'clang' else ''}"
    log = build_dir / "kselftest.log"
    log.unlink(missing_ok=True)
    report(Progress(STEP, "kernel headers", fraction=0.0))
    hint = "the tree may have been built in place: run make mrproper in it, or use a fresh copy"
    headers = ["make", "-s", "-C", str(tree), f"O={build_dir}", jobs, llvm, "headers"]
    await run(headers, env=ENVIRONMENT, timeout=_MAKE_TIMEOUT, log_to=log, hint=hint)
    await to_thread(_forget_stale_objects, tree, build_dir, targets)
    listed: list[str] = []
    troubles: dict[str, str] = {}
    for number, target in enumerate(targets):
        report(Progress(STEP, target, fraction=0.1 + 0.85 * number / len(targets)))
        lines = Errors()
        argv = [
            "make", "-C", str(directory(tree)), f"O={build_dir}", jobs, llvm, f"TARGETS={target}", "SKIP_TARGETS=",
            f"KSFT_INSTALL_PATH={install}", f"INSTALL_PATH={install}", "install",
        ]  # fmt: skip
        done = await run(argv, env=ENVIRONMENT, timeout=_MAKE_TIMEOUT, check=False, on_line=lines.feed, log_to=log)
        tests = _tests_of(install, target) if done.returncode == 0 else []
        if not tests:
            why = lines.first or "its Makefile lists no tests"
            raise UserError(
                f"suites.selftests.targets: {target} gives no test: {why}",
                hint=f"install what it needs to build, or remove {target} from the list",
                log=log,
            )
        if lines.first:
            troubles[target] = lines.first
        listed += tests
    (install / "kselftest-list.txt").write_text("".join(f"{line}\n" for line in listed))
    return troubles


def _tests_of(install: Path, target: str) -> list[str]:
    """The lines of one target in the list; each install rewrites the list."""
    path = install / "kselftest-list.txt"
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return [line for line in lines if line.startswith(f"{target}:")]


def _forget_stale_objects(tree: Path, build_dir: Path, targets: Iterable[str]) -> None:
    """Remove old objects if a header changed: kselftest's makefiles do not track headers.

    Checked are the installed uapi headers, tools/include, the files beside lib.mk, and the targets' sources.
    """
    top = directory(tree)
    digest = hashlib.sha256()
    roots = [build_dir / "usr/include", tree / "tools/include", *(top / target for target in sorted(targets))]
    files = [path for path in sorted(top.iterdir()) if path.is_file()]
    for path in (*files, *(path for root in roots for path in _files(root))):
        digest.update(f"{path}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    stamp = build_dir / "kselftest.stamp"
    if not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        shutil.rmtree(build_dir / "kselftest", ignore_errors=True)
        stamp.write_text(digest.hexdigest())


def _files(root: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(root):
        directories.sort()
        yield from (path for name in sorted(names) if (path := Path(parent, name)).is_file())


def _pack(work: Path, install: Path, troubles: Mapping[str, str]) -> None:
    """Turn the installation into payload and manifest. The same content gives the same archive."""
    tests = read_list(install)
    pack(install, work / _PAYLOAD)
    digest = sha256_of(work / _PAYLOAD)
    manifest = {"digest": digest, "tests": [asdict(test) for test in tests], "troubles": dict(troubles)}
    with (work / _MANIFEST).open("w") as out:
        json.dump(manifest, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    shutil.rmtree(install)


def _publish(work: Path, done: Path) -> None:
    # The temporary directory's cleanup expects a directory, so move its content, not itself.
    ready = work / "ready"
    ready.mkdir()
    for name in (_PAYLOAD, _MANIFEST):
        (work / name).rename(ready / name)
    fsync_dir(ready)
    if done.exists():  # incomplete, from an older version, or the same, built elsewhere in the meantime
        shutil.rmtree(done)
    ready.rename(done)
    fsync_dir(done.parent)


def _load(done: Path) -> SelftestsBuild | None:
    try:
        manifest = json.loads((done / _MANIFEST).read_text())
        tests = tuple(InstalledTest(**{**test, "argv": tuple(test["argv"])}) for test in manifest["tests"])
        found = SelftestsBuild(done / _PAYLOAD, manifest["digest"], tests, manifest["troubles"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.payload.is_file() else None
