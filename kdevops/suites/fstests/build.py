"""Build fstests once for any number of guests: as a tar archive to send, and as a disk image to attach."""

from __future__ import annotations

import shutil
import tempfile
from asyncio import to_thread
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kdevops.errors import CommandError, InfrastructureError, KdevopsError, UserError
from kdevops.files import digest_of, locked, published, sha256_of, write_atomic
from kdevops.images.bootstrap import complaint
from kdevops.images.disk import make_volume
from kdevops.lab.fstests import FstestsSource
from kdevops.lab.model import Image
from kdevops.process import describe_exit
from kdevops.progress import Progress, Report
from kdevops.results.baselines.conditions import SERIES
from kdevops.suites.fstests.place import BuildRoot, Here, choose
from kdevops.suites.fstests.source import FstestsTree, copy, fetch
from kdevops.suites.shared.make import Errors
from kdevops.suites.shared.pack import pack
from kdevops.suites.shared.proof import write_proof

STEP = "fstests build"
LABEL = "kd-fstests"
_DISK_SIZE = 4 << 30
"""Bytes of the disk image: sparse, with room for the results of a chunk and for large files of failed tests."""
_TAR, _DISK, _DIGEST = "payload.tar", "disk.raw", "payload.sha256"
_LAYOUT = 2
"""To be increased when the build result of the same source changes."""
# Only needed by the next make.
_LEFT_OUT = ("*.o", "*.lo", "*.a", "*.la", ".libs", ".dep", ".ltdep", "autom4te.cache", "config.log")


@dataclass(frozen=True, slots=True)
class BuiltFstests:
    """fstests, ready for guests. `directory` is the built tree, read-only; `tar` and `disk` have the same content.

    `disk` is a raw image of one ext4 file system. `digest` is the tar's SHA-256. `key` identifies the source and the
    build environment; `record` describes both.
    """

    directory: Path
    commit: str | None
    key: str
    digest: str
    tar: Path
    disk: Path
    record: Mapping[str, str]


async def find(source: FstestsSource, image: Image, *, cache: Path, report: Report) -> BuiltFstests | None:
    """The result of `build` without compiling anything, None if that would be necessary. Raises as `build` does."""
    tree, place, key = await _identify(source, image, cache, report)
    done = cache / "fstests" / key
    digest = _digest_of(done)
    return _built(source, tree, place, key, done, digest) if digest else None


async def build(source: FstestsSource, image: Image, *, cache: Path, report: Report) -> BuiltFstests:
    """Fetch and build fstests for guests of this image, or take it from the cache.

    Raises UserError for a source that cannot be fetched, is not fstests, or does not build (with the first error);
    InfrastructureError for what this machine lacks.
    """
    tree, place, key = await _identify(source, image, cache, report)
    done = cache / "fstests" / key
    digest = _digest_of(done)
    if not digest:
        async with locked(cache / "fstests" / f"{key}.lock", report=report, step=STEP):
            digest = _digest_of(done)
            if not digest:
                with published(done) as work:
                    digest = await _make(tree, place, key, work, done.with_suffix(".log"), report)
    built = _built(source, tree, place, key, done, digest)
    report(Progress(STEP, f"{(built.commit or 'a tree without commit')[:12]}, built {place.name}", 1.0, done=True))
    return built


async def _identify(
    source: FstestsSource, image: Image, cache: Path, report: Report
) -> tuple[FstestsTree, BuildRoot, str]:
    tree = await fetch(source, cache=cache, report=report)
    place = await choose(image) if tree.compiles else Here("make alone")
    return tree, place, digest_of([_LAYOUT, tree.key, place.key, place.fits])[:32]


def _built(
    source: FstestsSource, tree: FstestsTree, place: BuildRoot, key: str, done: Path, digest: str
) -> BuiltFstests:
    origin = {"path": str(source.path)} if source.path else {"git": source.repository, "ref": source.ref or "HEAD"}
    facts = {"commit": tree.commit or "", "diff_sha256": tree.diff_sha256 or "", "built": place.name}
    facts |= {SERIES: tree.series} if tree.series else {}
    record = {**origin, **facts, "payload": digest}
    return BuiltFstests(done / "fstests", tree.commit, key, digest, done / _TAR, done / _DISK, record)


async def _make(tree: FstestsTree, place: BuildRoot, key: str, work: Path, log: Path, report: Report) -> str:
    """Fill `work` with tree, archive, disk, and finally the archive's digest, which is returned."""
    log.unlink(missing_ok=True)
    directory = work / "fstests"
    report(Progress(STEP, place.name, fraction=0.0))
    await copy(tree, directory)
    errors = Errors()
    watch = _watcher(directory, report)

    def on_line(line: str) -> None:
        errors.feed(line)
        watch(line)

    try:
        await place.make(directory, log=log, on_line=on_line)
    except CommandError as error:
        raise _explained(error, errors.first, log) from error
    report(Progress(STEP, "packing", fraction=0.95))
    await to_thread(_strip, directory)
    if not place.fits:
        await to_thread(write_proof, directory)
    await to_thread(pack, directory, work / _TAR)
    with tempfile.TemporaryDirectory(dir=work) as volume:
        disk = Path(volume) / _DISK
        await make_volume(disk, work / _TAR, size=_DISK_SIZE, label=LABEL, uuid=UUID(key), log=log)
        disk.chmod(0o444)
        disk.rename(work / _DISK)
    digest = await to_thread(sha256_of, work / _TAR)
    write_atomic(work / _DIGEST, digest)
    return digest


def _digest_of(done: Path) -> str | None:
    """The digest of a finished build; None if it is incomplete."""
    whole = all((done / name).exists() for name in ("fstests", _TAR, _DISK, _DIGEST))
    return (done / _DIGEST).read_text() if whole else None


def _watcher(tree: Path, report: Report) -> Callable[[str], None]:
    """Derives progress from make's lines: `[CC] fsstress` for each program, of about as many C files."""
    total = max(1, sum(1 for _ in tree.rglob("*.c")))
    count = 0

    def watch(line: str) -> None:
        nonlocal count
        if line.startswith("I: ") and "hook" not in line:  # mmdebstrap's, except for our own hooks
            report(Progress(STEP, line.removeprefix("I: ").rstrip("."), fraction=min(0.9, count / total)))
        elif "[CC]" in line:
            count += 1
            report(Progress(STEP, line.rsplit(maxsplit=1)[-1], fraction=min(0.9, count / total)))

    return watch


def _explained(error: CommandError, first: str, log: Path) -> KdevopsError:
    if "No space left on device" in error.output:
        return InfrastructureError("fstests could not be built: the disk is full", log=log)
    if error.returncode is None:
        return InfrastructureError(error.message, hint=error.hint, log=log)
    if error.returncode < 0:
        return InfrastructureError(f"{error.argv[0]} {describe_exit(error.returncode)}", log=log)
    if first:
        return UserError(f"fstests does not build: {first}", log=log)
    return InfrastructureError(f"fstests could not be built: {complaint(error)}", hint=error.hint, log=log)


def _strip(tree: Path) -> None:
    """Remove what only another make would read."""
    for pattern in _LEFT_OUT:
        for path in tree.rglob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
