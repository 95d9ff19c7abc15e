"""Atomic files and directories, locks between processes, and digests of files."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from kdevops.errors import InfrastructureError
from kdevops.progress import Progress, Report

_LOCK_POLL = 0.2


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file atomically: a reader, also after a crash, sees either the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def fsync_dir(path: Path) -> None:
    """Make a rename within `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_regular(path: Path, limit: int, *, follow: bool = True) -> tuple[bytes, int] | None:
    """At most `limit` bytes of a file, and its size; None if it is not a regular file. A FIFO keeps nobody waiting.

    Raises OSError for one that cannot be read, or a link if links are not to be followed.
    """
    links = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | links)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit), status.st_size
    finally:
        os.close(descriptor)


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of plain data, independent of the order of mappings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path, cache: Path) -> str:
    """`sha256_of` a big file, cached until its inode, size or modification time changes."""
    status = path.stat()
    seen = [str(path), status.st_ino, status.st_size, status.st_mtime_ns]
    note = cache / "digests" / digest_of(str(path))
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        kept = json.loads(note.read_text())
        if kept["seen"] == seen:
            return str(kept["sha256"])
    value = sha256_of(path)
    write_atomic(note, json.dumps({"seen": seen, "sha256": value}))
    return value


def manifest_of(tree: Path, *, without: Sequence[str] = ()) -> str:
    """SHA-256 (hex) over path, mode, size and modification time of all files of a tree; takes 0.2 s for 80,000 files.

    Names in `without`, at its top, are ignored.
    """
    digest = hashlib.sha256()
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(tree / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = f"{folder}{entry.name}"
                if name in without:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                    continue
                status = entry.stat(follow_symlinks=False)
                digest.update(
                    f"{name}\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(
                        errors="surrogateescape"
                    )
                )
    return digest.hexdigest()


@contextlib.asynccontextmanager
async def locked(path: Path, *, report: Report, step: str) -> AsyncIterator[None]:
    """Hold the lock file `path` against other processes and tasks. The kernel releases it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    report(Progress(step, "waiting for another build of the same"))
                    told = True
                await asyncio.sleep(_LOCK_POLL)
        yield


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """A directory to fill, which is renamed to `target` if the block succeeds and removed otherwise.

    Hold a lock around it: leftovers of killed predecessors beside `target` are removed. Raises InfrastructureError when
    the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}."
    for stale in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix))
    temporary.chmod(0o755)
    try:
        yield temporary
        sync_filesystem(temporary)
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
        fsync_dir(target.parent)
    except OSError as error:
        raise InfrastructureError(f"cannot create {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sync_filesystem(tree: Path) -> None:
    """syncfs(2), which Python lacks: one call for the 80,000 files of a kernel tree instead of an fsync for each."""
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
