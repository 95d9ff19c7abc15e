"""Unpacking what a guest sent: guests are hostile, so an archive is bounded and stays where it is put."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from kdevops.files import write_atomic

MAX_MEMBERS = 64
_NOTE = 128
"""Bytes that a file may be longer than the limit, for a line that says it was cut."""
# No way leads out of a directory by such names: neither up nor along a link, for only regular files are taken.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,200}/){0,4}[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,200}")


def unpack(archive: Path, directory: Path, limit: int) -> list[Path]:
    """Put the regular files of a tar `archive` that have plain names and `limit` bytes at most below `directory`.

    An archive that ends too early, or is none, gives what is whole in it. The paths of what was written come back.
    """
    written: list[Path] = []
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if not member.isreg() or member.size > limit + _NOTE or not _PLAIN.fullmatch(name):
                    continue
                target = directory / name
                if target.is_dir() or any(parent.is_file() for parent in target.parents):
                    continue  # two members cannot be had at the same place
                source = tar.extractfile(member)
                content = source.read(member.size) if source else b""
                if len(content) == member.size:
                    write_atomic(target, content)
                    written.append(target)
                if len(written) >= MAX_MEMBERS:
                    break
    except (tarfile.TarError, EOFError, ValueError):
        pass  # the guest died under it; what came before is whole
    return written
