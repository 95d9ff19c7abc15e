"""One command per lab at a time: a lock that the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import UserError


@contextlib.contextmanager
def lab_lock(directory: Path, lab: str, verb: str) -> Iterator[None]:
    """Lock the lab for `verb`. Raises UserError naming the holder if another command has the lock."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace") or "another command"
            raise UserError(
                f"lab {lab} is in use by {holder}",
                hint="wait for it or stop it; a lab file with another `name:` is another lab",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"`kdevops {verb}`, process {os.getpid()}".encode())
        yield
    finally:
        os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a command holds the lock of the lab in `directory` now. Creates no file and keeps no lock."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
