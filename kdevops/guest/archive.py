"""Unpack archives from a guest. Guests are hostile: size is bounded and no file escapes its directory."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from kdevops.files import write_atomic

MAX_MEMBERS = 64
_NOTE = 128
"""Extra bytes allowed over the limit, for a line that says the file was cut."""
# Such names cannot leave the directory: they do not go up, and links are skipped.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,200}/){0,4}[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,200}")


def unpack(archive: Path, directory: Path, limit: int) -> list[Path]:
    """Unpack the regular files of a tar `archive` with plain names and at most `limit` bytes below `directory`.

    Of a truncated or invalid archive, the complete files are unpacked. Returns the paths written.
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
                    continue  # two members clash
                source = tar.extractfile(member)
                content = source.read(member.size) if source else b""
                if len(content) == member.size:
                    write_atomic(target, content)
                    written.append(target)
                if len(written) >= MAX_MEMBERS:
                    break
    except (tarfile.TarError, EOFError, ValueError):
        pass  # the guest died while sending; earlier members are complete
    return written
