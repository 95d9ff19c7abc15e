"""Read files that others made: bounded, and nothing but regular files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import read_regular

MAX_DEPTH = 8
MAX_DIRECTORIES = 20_000


def read_given(path: Path, limit: int) -> tuple[bytes, int] | None:
    """At most `limit` bytes of a regular file, and its size; None for a link, a FIFO, a device, or nothing.

    Raises UserError for a file that cannot be read.
    """
    try:
        return read_regular(path, limit, follow=False)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENOENT}:
            return None
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def directories(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """`root` and the directories below it, without links, each with the names of its files. Raises UserError for too many."""

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error

    depth = len(root.parts)
    for seen, (path, names, files) in enumerate(os.walk(root, onerror=refuse)):
        if seen >= MAX_DIRECTORIES:
            raise UserError(f"{root} has more than {MAX_DIRECTORIES} directories", hint="name a subdirectory")
        here = Path(path)
        names[:] = sorted(names) if len(here.parts) - depth < MAX_DEPTH else []
        yield here, sorted(files)
