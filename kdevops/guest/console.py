"""A guest's console log, written by another process: follow it live, or read its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_LINE = 4096
"""Bytes of a console line that are read; the rest is ignored."""
_POLL = 0.1
_PUT_ASIDE = (".0", ".old")
"""Suffixes of a rotated console log: by libvirt's virtlogd, and by our recorder."""
_PREFIX = len("2026-11-21T00:31:02.123Z ")


class Position(NamedTuple):
    """A position in a console log: offset and inode of the file, which may be rotated later."""

    offset: int
    inode: int | None = None


def consoles(state: Path) -> dict[str, Path]:
    """Console logs by guest, including guests that never came up or have gone down."""
    return {path.parent.name: path for path in sorted(state.glob("labs/*/guests/*/console.log"))}


def strip_prefix(line: str) -> str:
    """A console line without the recorder's time stamp."""
    return line[_PREFIX:] if len(line) >= _PREFIX and line[10:11] == "T" and line[_PREFIX - 2] == "Z" else line


def last_lines(path: Path, count: int, limit: int = 1 << 20) -> list[str]:
    """The last `count` recorded lines within the last `limit` bytes; empty without a console."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:] if count else []


def end_of(path: Path) -> int:
    """The offset of the next byte to be written."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def end_position(path: Path) -> Position:
    """The same as a Position, which stays valid when the console is rotated."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Position(0)
    return Position(found.st_size, found.st_ino)


@dataclass
class Reader:
    """Reads new console output. After a rotation, it first returns the rest of the old file."""

    path: Path
    offset: int = 0
    inode: int | None = None

    def read(self, limit: int = 1 << 20) -> bytes:
        """The next output, at most `limit` bytes; empty if there is none yet.

        Raises OSError if the console cannot be read.
        """
        with self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_size < self.offset or self.inode not in (None, found.st_ino):
                if rest := _former(self.path, self.offset, limit, self.inode):
                    self.offset += len(rest)
                    return rest
                self.offset = 0
            self.inode = found.st_ino
            file.seek(self.offset)
            chunk = file.read(limit)
        self.offset += len(chunk)
        return chunk


async def follow(path: Path, offset: int = 0) -> AsyncIterator[str]:
    """Yield every console line from `offset` on, forever; follows rotations."""
    rest = b""
    reader = Reader(path, offset)
    while True:
        try:
            chunk = reader.read()
        except FileNotFoundError:
            chunk = b""
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:MAX_LINE]
        for line in lines:
            yield strip_prefix(line[:MAX_LINE].decode(errors="replace"))
        if not chunk:
            await asyncio.sleep(_POLL)


def read_since(
    path: Path, since: int | Position, limit: int = 1 << 20, *, end: int | Position | None = None
) -> list[str]:
    """The lines after `since`, without time stamps; of more than `limit` bytes, the last.

    `end`: offset or position to stop at.
    """
    begin = since if isinstance(since, Position) else Position(since)
    stop = end if isinstance(end, Position) else Position(end if end is not None else 0)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if stop.inode not in (None, found.st_ino):
                text = _former(path, begin.offset, max(1, stop.offset - begin.offset), stop.inode)[-limit:]
            else:
                moved = found.st_size < begin.offset or begin.inode not in (None, found.st_ino)
                before = _former(path, begin.offset, -limit, begin.inode) if moved else b""
                first, last = 0 if moved else begin.offset, found.st_size
                if end is not None and first <= stop.offset:
                    last = min(last, stop.offset)
                where = file.seek(max(first, last - limit))
                text = (before + file.read(last - where))[-limit:]
    except OSError:
        return []
    return [strip_prefix(line) for line in text.decode(errors="replace").splitlines()]


def _former(path: Path, offset: int, limit: int, inode: int | None = None) -> bytes:
    """The content from `offset` on of the rotated file that used to be `path`, if it can be identified.

    At most the first `limit` bytes; for a negative limit, the last.
    """
    for suffix in _PUT_ASIDE:
        with contextlib.suppress(OSError), path.with_name(path.name + suffix).open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_size >= offset and inode in (None, found.st_ino):
                file.seek(offset if limit > 0 else max(offset, found.st_size + limit))
                return file.read(abs(limit))
    return b""
