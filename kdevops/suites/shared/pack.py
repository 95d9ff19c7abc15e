"""Pack a directory as a reproducible tar archive for guests: the same files give the same bytes."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path


def pack(directory: Path, archive: Path) -> None:
    """Write all files of `directory` to `archive` and sync it to disk; owner root, without dates."""
    with archive.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.add(directory, arcname=".", filter=_anonymous)
        file.flush()
        os.fsync(file.fileno())


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
