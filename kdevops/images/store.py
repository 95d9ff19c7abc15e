"""Where images stand in the cache: one maker at a time, nothing half-made under a final name, leftovers swept."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from kdevops.errors import InfrastructureError
from kdevops.files import fsync_dir
from kdevops.images.base import STEP
from kdevops.progress import Progress, Report

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only for names that nobody can foresee
_POLL = 0.2


@contextlib.asynccontextmanager
async def making(store: Path, key: str, report: Report) -> AsyncIterator[Path]:
    """Hold the right to make `key` and give an empty directory to make it in, which is removed at the end.

    Waits while another process makes the same image, so look again whether it is there. What makers that were killed
    left behind is swept first: their locks died with them.
    """
    with _told(store):
        store.mkdir(parents=True, exist_ok=True)
        with (store / f".{key}.lock").open("w") as lock:
            while not _try_lock(lock.fileno()):
                report(Progress(STEP, "waiting for another kdevops that makes the same image"))
                await asyncio.sleep(_POLL)
            _sweep(store, key)
            work = store / f".{key}.new"
            try:
                with _told(store):  # before the directory goes, and its room is free again
                    work.mkdir()
                    yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)


def publish(work: Path, store: Path, names: list[str]) -> None:
    """Move finished files to their place, durably and in this order: whoever finds the last one finds all."""
    for name in names:
        path = work / name
        path.chmod(0o444)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.replace(store / name)
    fsync_dir(store)


@contextlib.contextmanager
def scratch(work: Path) -> Iterator[Path]:
    """A directory for mmdebstrap's tree: in memory where there is plenty, which halves the time on a slow disk.

    Only as root. Without, it is the usual directory for temporary files: a user namespace may not enter our private
    ones, and what a killed mmdebstrap leaves belongs to the users of the image, so that we could not sweep it.
    """
    if os.geteuid() != 0:
        yield Path(tempfile.gettempdir())
    elif not _plenty_of_memory():
        yield work
    else:
        with tempfile.TemporaryDirectory(
            dir=SHARED_MEMORY, prefix=_scratch_name(work), ignore_cleanup_errors=True
        ) as path:
            yield Path(path)


def full(*places: Path, log: Path | None = None) -> InfrastructureError:
    """The error for a disk that ran full while an image was made, in the fullest of `places`."""
    free, where = min((shutil.disk_usage(place).free, place) for place in places)
    return InfrastructureError(
        f"the disk ran full while the guest image was made: {free >> 20} MiB are free in {where}",
        hint="an image with the default packages needs 700 MiB while it is made, and 250 MiB afterwards: make room, or put "
        "the cache elsewhere with KDEVOPS_CACHE",
        log=log,
    )


@contextlib.contextmanager
def _told(store: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise full(store) from error
        raise InfrastructureError(f"cannot write the image cache {store}: {error.strerror}") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(store: Path, mine: str) -> None:
    for leftover in store.glob(".*.new"):
        key = leftover.name.removeprefix(".").removesuffix(".new")
        with (store / f".{key}.lock").open("w") as lock:
            if key == mine or _try_lock(lock.fileno()):
                for path in (*SHARED_MEMORY.glob(f"{_scratch_name(leftover)}*"), leftover):
                    shutil.rmtree(path, ignore_errors=True)


def _scratch_name(work: Path) -> str:
    # With the path, because another cache may have the same key in the making, under a lock of its own.
    return f"kdevops-{hashlib.sha256(os.fsencode(work.absolute())).hexdigest()[:32]}-"


def _plenty_of_memory() -> bool:
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
        available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return free >= 2 << 30 and available is not None and int(available[1]) >= 4 << 20
