"""The image cache: one builder at a time per image, files published when complete, leftovers removed."""

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

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only for unpredictable names
_POLL = 0.2


@contextlib.asynccontextmanager
async def making(store: Path, key: str, report: Report) -> AsyncIterator[Path]:
    """Lock `key` and give an empty directory to build it in, which is removed at the end.

    Waits while another process builds the same image, so check again whether it exists. Leftovers of killed builders are
    removed first: their locks are gone.
    """
    with _told(store):
        store.mkdir(parents=True, exist_ok=True)
        with (store / f".{key}.lock").open("w") as lock:
            while not _try_lock(lock.fileno()):
                report(Progress(STEP, "waiting for another kdevops that is making the same image"))
                await asyncio.sleep(_POLL)
            _sweep(store, key)
            work = store / f".{key}.new"
            try:
                with _told(store):  # before the directory is removed and its space is free again
                    work.mkdir()
                    yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)


def publish(work: Path, store: Path, names: list[str]) -> None:
    """Move finished files into the store durably and in order: if the last exists, all do."""
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
    """A directory for mmdebstrap's tree: in memory if there is enough, which halves the time on a slow disk.

    Without root, it is the default directory for temporary files: a user namespace cannot enter our private ones, and we
    could not remove the leftovers of a killed mmdebstrap, which belong to the image's users.
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
    """The error for a full disk while making an image, naming the fullest of `places`."""
    free, where = min((shutil.disk_usage(place).free, place) for place in places)
    return InfrastructureError(
        f"disk full while making the guest image: {free >> 20} MiB free in {where}",
        hint="an image with the default packages needs 700 MiB while it is made and 250 MiB afterwards: free some space, or "
        "move the cache with KDEVOPS_CACHE",
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
    # Includes the path, because another cache may be building the same key under its own lock.
    return f"kdevops-{hashlib.sha256(os.fsencode(work.absolute())).hexdigest()[:32]}-"


def _plenty_of_memory() -> bool:
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
        available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return free >= 2 << 30 and available is not None and int(available[1]) >= 4 << 20
