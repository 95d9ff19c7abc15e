"""What the kernel of a guest says, cut into one slice a test.

The slice of a test is what came on the console since the slice before. A console may come late (one that a cloud is asked
for), or not at all (a host without one, a test that set `dmesg -n 1`): where it does not show the end of a test at once, the
guest's own log is read between the marks of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile

from kdevops.errors import InfrastructureError
from kdevops.guest import console, printk
from kdevops.guest.console import Position
from kdevops.guest.execute import Marks
from kdevops.guest.ssh import SshTarget
from kdevops.providers.base import Guest
from kdevops.triage.oops import find_reports
from kdevops.triage.patterns import find
from kdevops.triage.report import MAX_LINES

MAX_SLICE = 1 << 20
"""Bytes kept of what a kernel says during one test: its beginning and its end, and as much again of reports between them."""
_READ = 17 << 20
"""Bytes that are looked at for that: all that a console holds before it is put aside."""
_SHOWN = 1.0
"""Accelerated seconds for the console to show what the kernel has said."""
_COMMAND = 30.0
_POLL = 0.02
_FIRST_TEST = ("kdevops: begin ", "run fstests ")
"""With these a test begins, as one of ours or as fstests marks it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What the kernel said while a test ran, and `before` it, after the test before it had ended."""

    lines: list[str]
    before: list[str] = field(default_factory=list)


class KernelLog:
    """One guest's console from now on. `factor` stretches the waiting as for every deadline."""

    def __init__(self, guest: Guest, factor: float) -> None:
        self._guest, self._factor = guest, factor
        self._since = console.end_position(guest.console)
        self._live = True

    def cut(self, end: Position | None = None) -> list[str]:
        """What the console has since the last cut, up to `end`, which is now where it is not given."""
        end = console.end_position(self._guest.console) if end is None else end
        lines = console.read_since(self._guest.console, self._since, _READ, end=end)
        self._since = end
        return thinned(lines)

    def before(self, marks: Collection[str], end: Position) -> Position:
        """Where the first line that has one of these texts begins, at most MAX_SLICE behind the last cut; else `end`.

        `end`, too, where the console was put aside since the last cut.
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
        """Where on the console the next slice begins."""
        return self._since

    async def cut_at(self, marks: Marks, *, tainted: bool = False) -> Slice:
        """What the kernel of a living guest said until a test that ran between these marks had ended.

        `tainted`: it must have complained, so where the console shows nothing of it the guest's log is read, too. Never
        raises for the guest's sake.
        """
        if self._live and await self._shows(marks.end):
            shown = divide(await asyncio.to_thread(self.cut), marks)
            if not tainted or any(report.gates for report in find_reports([*shown.before, *shown.lines])):
                return shown
            return Slice([*shown.lines, *(await self._logged(marks) or [])], shown.before)
        self._live = False  # it would be waited for in vain each time
        said = await self._logged(marks)
        lines = self.cut()
        return divide(lines, marks) if said is None else Slice(said)

    async def _logged(self, marks: Marks) -> list[str] | None:
        try:
            return between(await kernel_log(self._guest.ssh, timeout=_COMMAND * self._factor), marks)
        except InfrastructureError:
            return None

    async def _shows(self, mark: str) -> bool:
        token = _token(mark).encode()
        reader = console.Reader(self._guest.console, *self._since)
        end = time.monotonic() + _SHOWN * self._factor
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
    """The log that the kernel of a guest keeps, oldest line first, its last 4 MiB. Raises InfrastructureError."""
    return (await ssh.run(["dmesg"], timeout=timeout)).stdout.splitlines()


def divide(lines: list[str], marks: Marks) -> Slice:
    """The slice of a test where the console shows its beginning: what comes before is not the test's."""
    token = _token(marks.begin)
    first = next((number for number, line in enumerate(lines) if line.rstrip().endswith(token)), 0)
    return Slice(lines[first:], lines[:first])


def thinned(lines: list[str]) -> list[str]:
    """Lines of at most MAX_SLICE as they are; of more, both ends and what begins a report between them, so that none is lost."""
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
    """How many of these lines, from the first on, fit into half a slice."""
    sizes = accumulate(len(line) + 1 for line in lines)
    return sum(1 for _ in takewhile(lambda size: size <= MAX_SLICE // 2, sizes))


def between(lines: Sequence[str], marks: Marks) -> list[str] | None:
    """The lines of a test in a kernel's log; None where its end is not in there, so that nothing is known of it.

    The log is a ring: where the beginning of the test was overwritten, all that is left of the log is the test's.
    """
    begin, end = _token(marks.begin), _token(marks.end)
    last = next((number for number, line in enumerate(lines) if line.rstrip().endswith(end)), None)
    if last is None:
        return None
    first = next((number for number, line in enumerate(lines[:last]) if line.rstrip().endswith(begin)), -1)
    return list(lines[first + 1 : last])


def before_tests(lines: Sequence[str]) -> list[str]:
    """The lines of a kernel's log that no test is to blame for: all before the first one of this boot."""
    first = (number for number, line in enumerate(lines) if any(mark in line for mark in _FIRST_TEST))
    return list(lines[: next(first, len(lines))])


def _token(mark: str) -> str:
    """What is unique of a mark, and printed by every console as it is."""
    return mark.rpartition(" ")[2]
