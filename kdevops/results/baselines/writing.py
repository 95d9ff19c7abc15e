"""Writes files of a baseline, one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path, PurePosixPath

from kdevops.errors import InfrastructureError
from kdevops.files import write_atomic
from kdevops.results.baselines.layout import Texts


def write(directory: Path, texts: Texts, *, instead_of: Iterable[PurePosixPath] = ()) -> tuple[Path, ...]:
    """Write files of a baseline, each atomically, and return those that changed. Hold `locked` around it.

    Counts come last: whatever is written when kdevops is killed means nothing without them, or all of it. The files that they
    stand `instead_of` are removed after that. Raises InfrastructureError when a file cannot be written or removed.
    """
    written = []
    for name, text in sorted(
        texts.items(), key=lambda each: (not each[0].name.startswith(("tests-", "seconds-")), each[0])
    ):
        path = directory / name
        try:
            if not path.exists() or path.read_bytes() != text.encode():
                write_atomic(path, text)
                written.append(path)
        except OSError as error:
            raise InfrastructureError(f"cannot write the baseline {path}: {error.strerror}") from error
    for name in set(instead_of) - texts.keys():
        try:
            (directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise InfrastructureError(f"cannot remove {directory / name}: {error.strerror}") from error
    return tuple(written)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes of this machine from changing the baseline. Raises InfrastructureError if it cannot be made."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InfrastructureError(f"cannot write the baseline {directory}: {error.strerror}") from error
    try:
        flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)
