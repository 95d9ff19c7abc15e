"""The GNU build id of a kernel, from its vmlinux or from /sys/kernel/notes of a running kernel.

Layout: elf(5). A note is three 32-bit words (size of name, size of description, type), the name and the description, each
padded to 4 bytes. The build id has name "GNU" and type NT_GNU_BUILD_ID.
"""

from __future__ import annotations

import struct
from pathlib import Path

_NT_GNU_BUILD_ID = 3
_PT_NOTE = 4
_MAX_NOTES = 1 << 20
_MAX_HEADERS = 1024


def parse_notes(data: bytes) -> str:
    """The build id (hex) in a blob of ELF notes, little-endian. Raises ValueError when there is none."""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + _padded(name_size)
        if (
            kind == _NT_GNU_BUILD_ID
            and data[at + 12 : at + 12 + name_size] == b"GNU\0"
            and 0 < size <= len(data) - start
        ):
            return data[start : start + size].hex()
        at = start + _padded(size)
    raise ValueError("no GNU build id among the ELF notes")


def read_build_id(path: Path) -> str:
    """The build id (hex) of a 64-bit little-endian ELF file. Raises ValueError when it is not such a file or has none."""
    with path.open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is not a 64-bit little-endian ELF file")
        (table,) = struct.unpack_from("<Q", header, 0x20)
        entry_size, count = struct.unpack_from("<HH", header, 0x36)
        if entry_size < 56 or count > _MAX_HEADERS:
            raise ValueError(f"{path} has a broken ELF header")
        for number in range(count):
            file.seek(table + number * entry_size)
            entry = file.read(56)
            if len(entry) < 56:
                break
            (kind,) = struct.unpack_from("<I", entry, 0)
            (offset,) = struct.unpack_from("<Q", entry, 0x08)
            (size,) = struct.unpack_from("<Q", entry, 0x20)
            if kind == _PT_NOTE and size <= _MAX_NOTES and offset < 1 << 40:
                file.seek(offset)
                try:
                    return parse_notes(file.read(size))
                except ValueError:
                    continue  # another note segment may hold it
    raise ValueError(f"{path} has no GNU build id")


def _padded(size: int) -> int:
    return (size + 3) & ~3
