"""Unpacking what a guest sent: guests are hostile, so an archive is bounded and stays where it is put."""

from __future__ import annotations

import tarfile
from pathlib import Path

from kdevops.errors import InfrastructureError

MAX_MEMBERS = 1000
_CHUNK = 1 << 16


def unpack(archive: Path, directory: Path, limit: int) -> list[Path]:
    """Put the regular files of a tar `archive` below `directory`, the first `limit` bytes of each; the paths they got.

    Links, devices and names that lead out of `directory` are left out. Raises InfrastructureError for what is no archive.
    """
    written: list[Path] = []
    try:
        with tarfile.open(archive, "r:") as tar:
            for number, member in enumerate(tar):
                if number >= MAX_MEMBERS:
                    break
                try:
                    safe = tarfile.data_filter(member, str(directory))
                except tarfile.FilterError:
                    continue
                if safe.isreg() and (source := tar.extractfile(safe)):
                    target = directory / safe.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        left = limit
                        while left > 0 and (data := source.read(min(left, _CHUNK))):
                            file.write(data)
                            left -= len(data)
                    written.append(target)
    except (tarfile.TarError, EOFError) as error:
        raise InfrastructureError(f"the guest sent no archive: {error}") from error
    return written
