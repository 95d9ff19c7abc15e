"""The file in which a guest's console is recorded, with a time stamp on every line.

Standard library only: QEMU's keeper, which imports it, must start in milliseconds.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

# Control characters for terminals: everything below blank except tab and newline, and DEL. C1 controls are not
# printable.
_CONTROL = bytes(set(range(32)) - {9, 10} | {127})
_MAX_WAITING = 4 << 20
"""Bytes of console that may wait for the disk; the first report of a problem is worth more than what follows it."""


class ConsoleFile:
    """console.log with a time stamp on every line; beyond `limit` bytes it becomes console.log.old and a new one
    begins.

    While the disk is full or fails, text waits here, up to a limit; dropped bytes are counted in the file.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path, self._limit = path, limit
        self._file = path.open("ab+", buffering=0)
        self._fresh_line = self._file.seek(0, 2) == 0 or self._last_byte() == b"\n"
        self._waiting = bytearray()
        self._dropped = 0

    @property
    def at_line_start(self) -> bool:
        """Whether the next write begins a line."""
        return self._fresh_line

    @property
    def behind(self) -> bool:
        """Whether text waits for the disk: call `flush` from time to time."""
        return bool(self._waiting or self._dropped)

    def write(self, data: bytes) -> None:
        """Record output of the guest; never raises OSError."""
        data = data.translate(None, _CONTROL)
        if not data:
            return
        if self._dropped or len(self._waiting) + len(data) > _MAX_WAITING:
            self._dropped += len(data)
        else:
            ended = data.endswith(b"\n")
            body = data[:-1] if ended else data
            stamp = _stamp()
            text = body.replace(b"\n", b"\n" + stamp)
            self._waiting += (stamp if self._fresh_line else b"") + text + (b"\n" if ended else b"")
            self._fresh_line = ended
        self.flush()

    def flush(self) -> bool:
        """Write waiting text, as far as the disk accepts it; returns whether none is left."""
        try:
            self._write_waiting()
            if self._dropped:
                note = (
                    f"[kdevops: {self._dropped} bytes of the console are missing here: the disk was full or failed]\n"
                )
                self._waiting += (b"" if self._fresh_line else b"\n") + _stamp() + note.encode()
                self._dropped, self._fresh_line = 0, True
                self._write_waiting()
            if self._file.tell() > self._limit:  # readers join a line that is cut here
                self._rotate()
        except OSError:
            return False
        return True

    def _write_waiting(self) -> None:
        while self._waiting:
            written = self._file.write(self._waiting)
            if not written:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            del self._waiting[:written]

    def _rotate(self) -> None:
        """Rotate the file. Raises OSError, without changes, if there is no room for a new one."""
        successor = self._path.with_name(f".{self._path.name}.new")
        file = successor.open("wb+", buffering=0)
        self._path.replace(self._path.with_name(self._path.name + ".old"))
        successor.replace(self._path)
        self._file.close()
        self._file = file

    def _last_byte(self) -> bytes:
        self._file.seek(-1, 2)
        return self._file.read(1)


def _stamp() -> bytes:
    now = time.time()
    return (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z ").encode()
