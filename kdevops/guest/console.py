"""The console of a guest, as a file that somebody else writes: following it live, and reading its end for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

MAX_LINE = 4096
"""Bytes of one console line that are looked at."""
_POLL = 0.1
_PREFIX = len("2026-11-21T00:31:02.123Z ")


def strip_prefix(line: str) -> str:
    """A console line without the time stamp that the recorder put before it."""
    return line[_PREFIX:] if len(line) >= _PREFIX and line[10:11] == "T" and line[_PREFIX - 2] == "Z" else line


def tail(path: Path, lines: int = 25) -> str:
    """The last lines of the console, time stamps stripped; empty where there is no console."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - (64 << 10)))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(strip_prefix(line) for line in text.splitlines()[-lines:])


def end_of(path: Path) -> int:
    """The offset at which what comes next will stand."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


async def follow(path: Path, offset: int = 0) -> AsyncIterator[str]:
    """Every line of the console from `offset` on, as it comes, for ever; a rotated file's successor is followed."""
    rest = b""
    inode = None
    while True:
        try:
            with path.open("rb") as file:
                current = path.stat()
                if inode not in (None, current.st_ino):
                    offset = 0
                inode = current.st_ino
                file.seek(offset)
                chunk = file.read(1 << 20)
        except FileNotFoundError:
            chunk = b""
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:MAX_LINE]
        for line in lines:
            yield strip_prefix(line[:MAX_LINE].decode(errors="replace"))
        if not chunk:
            await asyncio.sleep(_POLL)


def read_since(path: Path, offset: int, limit: int = 1 << 20, *, end: int | None = None) -> list[str]:
    """The lines that came after `offset`, at most `limit` bytes of them (the last), time stamps stripped.

    `end` is the offset of what is too late to be of interest.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = 0 if size < offset else offset
            if end is not None and start <= end:
                size = min(size, end)
            begin = file.seek(max(start, size - limit))
            return [strip_prefix(line) for line in file.read(size - begin).decode(errors="replace").splitlines()]
    except FileNotFoundError:
        return []
