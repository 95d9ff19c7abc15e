"""Divides a guest's kernel messages into one slice per test.

The slice of a test is the console output since the previous slice. Console output may be late (fetched from a cloud) or
absent (a host without a console, a test that set `dmesg -n 1`). If the console does not show a test's end at once, the
guest's own log is read between the test's marks. If neither shows a test, it was not watched, and it is unknown what the
kernel reported during it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, takewhile

from kdevops.errors import InfrastructureError
from kdevops.guest import console, printk
from kdevops.guest.console import Position
from kdevops.guest.execute import Marks
from kdevops.guest.ssh import SshTarget
from kdevops.lab.suites import console_marks
from kdevops.providers.base import Guest
from kdevops.triage.oops import find_reports
from kdevops.triage.patterns import find
from kdevops.triage.report import MAX_LINES

MAX_SLICE = 1 << 20
"""Bytes of kernel messages kept per test: beginning and end, plus as many bytes of reports in between."""
_READ = 17 << 20
"""Bytes read for that: as much as a console log holds before it is rotated."""
_SHOWN = 1.0
"""Accelerated seconds for the console to show a kernel message."""
_COMMAND = 30.0
_POLL = 0.02
_BEGIN = "kdevops: begin "
"""Our own mark at the start of a test; suites with a harness have `console_marks`."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Kernel messages during a test; `before`: those between the previous test's end and its start.

    `watched`: False if neither the console nor the guest's own log shows the test's end, so that `lines` may be incomplete.
    """

    lines: list[str]
    before: list[str] = field(default_factory=list)
    watched: bool = True


class KernelLog:
    """One guest's console from now on. `slowdown`: timeouts are multiplied by it."""

    def __init__(self, guest: Guest, slowdown: float) -> None:
        self._guest, self._slowdown = guest, slowdown
        self._since = console.end_position(guest.console)
        self._live = True
        self._last_read = ""

    def cut(self, end: Position | None = None) -> list[str]:
        """Console output since the last cut, up to `end` (default: now)."""
        end = console.end_position(self._guest.console) if end is None else end
        lines = console.read_since(self._guest.console, self._since, _READ, end=end)
        self._since = end
        return thinned(lines)

    def before(self, marks: Collection[str], end: Position) -> Position:
        """The start of the first line with one of `marks`, within MAX_SLICE after the last cut; else `end`.

        Also `end` if the console was rotated since the last cut.
        """
        with contextlib.suppress(OSError), self._guest.console.open("rb") as file:
            if {os.fstat(file.fileno()).st_ino} != {self._since.inode, end.inode}:
                return end
            file.seek(self._since.offset)
            data = file.read(min(MAX_SLICE, max(0, end.offset - self._since.offset)))
            found = [place for mark in marks if (place := data.find(mark.encode())) >= 0]
            if found:
                return Position(self._since.offset + data.rfind(b"\n", 0, min(found)) + 1, end.inode)
        return end

    @property
    def since(self) -> Position:
        """The position at which the next slice begins."""
        return self._since

    async def cut_at(self, marks: Marks, *, tainted: bool = False) -> Slice:
        """Kernel messages of a live guest up to the end of the test between these marks.

        `tainted`: there must be a kernel report, so if the console shows none, the guest's log is read as well. Errors of
        the guest are not raised.
        """
        if self._live and await self._shows(marks.end):
            shown = divide(await asyncio.to_thread(self.cut), marks)
            if not tainted or any(report.gates for report in find_reports([*shown.before, *shown.lines])):
                return shown
            return Slice([*shown.lines, *(await self._logged(marks) or [])], shown.before)
        self._live = False  # do not wait for the console again
        said = await self._logged(marks)
        lines = self.cut()
        return replace(divide(lines, marks), watched=False) if said is None else Slice(said)

    def has_read(self, log: Sequence[str]) -> None:
        """The guest's own log was read up to here."""
        self._last_read = log[-1] if log else self._last_read

    async def look_back(self, marks: Iterable[str]) -> list[str] | None:
        """The guest's own log from the first of these marks on; if it has none of them, from where it was last read.

        If a mark occurs several times, its last occurrence counts. None if the guest cannot be asked.
        """
        try:
            lines = await kernel_log(self._guest.ssh, timeout=_COMMAND * self._slowdown)
        except InfrastructureError:
            return None
        starts = [start for mark in marks if (start := _last_with(mark, lines)) is not None]
        since = _last_with(self._last_read, lines) if self._last_read else None
        self.has_read(lines)
        return lines[min(starts) if starts else 0 if since is None else since + 1 :]

    async def _logged(self, marks: Marks) -> list[str] | None:
        try:
            return between(await kernel_log(self._guest.ssh, timeout=_COMMAND * self._slowdown), marks)
        except InfrastructureError:
            return None

    async def _shows(self, mark: str) -> bool:
        token = _token(mark).encode()
        reader = console.Reader(self._guest.console, *self._since)
        end = time.monotonic() + _SHOWN * self._slowdown
        rest = b""
        while True:
            try:
                chunk = reader.read()
            except OSError:
                return False
            if token in rest + chunk:
                return True
            rest = (rest + chunk)[-len(token) :]
            if not chunk:
                if time.monotonic() > end:
                    return False
                await asyncio.sleep(_POLL)


async def kernel_log(ssh: SshTarget, *, timeout: float) -> list[str]:
    """The kernel log of a guest, oldest line first, at most the last 4 MiB. Raises InfrastructureError."""
    return (await ssh.run(["dmesg"], timeout=timeout)).stdout.splitlines()


def divide(lines: list[str], marks: Marks) -> Slice:
    """Split console lines at the test's start mark: lines before it do not belong to the test."""
    token = _token(marks.begin)
    first = next((number for number, line in enumerate(lines) if line.rstrip().endswith(token)), 0)
    return Slice(lines[first:], lines[:first])


def thinned(lines: list[str]) -> list[str]:
    """The lines if they fit into MAX_SLICE; else both ends and the beginnings of reports in between."""
    if _size(lines) <= MAX_SLICE:
        return lines
    lines = [line[: console.MAX_LINE] for line in lines]
    head = _fitting(lines)
    tail = max(head, len(lines) - _fitting(reversed(lines)))
    kept: list[str] = []
    room, wanted = MAX_SLICE, 0
    for line in lines[head:tail]:
        if find(printk.message(line)):
            wanted = MAX_LINES
        if wanted and room > 0:
            kept.append(line)
            wanted -= 1
            room -= len(line) + 1
    note = f"[kdevops: {tail - head - len(kept)} lines left out here]"
    return [*lines[:head], note, *kept, *lines[tail:]]


def _size(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _fitting(lines: Iterable[str]) -> int:
    """How many of the first lines fit into half a slice."""
    sizes = accumulate(len(line) + 1 for line in lines)
    return sum(1 for _ in takewhile(lambda size: size <= MAX_SLICE // 2, sizes))


def between(lines: Sequence[str], marks: Marks) -> list[str] | None:
    """The lines of a test in a kernel log; None if the log does not contain its end.

    The log is a ring buffer: if the start of the test was overwritten, all lines before its end belong to the test.
    """
    begin, end = _token(marks.begin), _token(marks.end)
    last = next((number for number, line in enumerate(lines) if line.rstrip().endswith(end)), None)
    if last is None:
        return None
    first = next((number for number, line in enumerate(lines[:last]) if line.rstrip().endswith(begin)), -1)
    return list(lines[first + 1 : last])


def before_tests(lines: Sequence[str]) -> list[str]:
    """The lines of a kernel log before the first test of this boot, for which no test is to blame."""
    marks = (_BEGIN, *console_marks())
    first = (number for number, line in enumerate(lines) if any(mark in line for mark in marks))
    return list(lines[: next(first, len(lines))])


def _last_with(text: str, lines: Sequence[str]) -> int | None:
    """The number of the last line with this text in it."""
    return next((number for number in reversed(range(len(lines))) if text in lines[number]), None)


def _token(mark: str) -> str:
    """The unique part of a mark, which every console prints unchanged."""
    return mark.rpartition(" ")[2]
