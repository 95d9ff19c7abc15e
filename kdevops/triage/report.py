"""A kernel report while it is read from a console: bounded, with head and tail."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from kdevops.triage.messages.pattern import Pattern, Severity

HEAD = 150
"""Lines kept from the start of a report: enough for registers, code and a deep call trace, twice."""
TAIL = 50
"""Lines kept from the end of a longer report: the panic that it caused."""
MAX_LINES = HEAD + TAIL + 1
"""Lines of a report's text, including the one that says how many are left out."""
CONTEXT = 20
"""Lines kept of a one-line report and the lines after it."""
MAX_TITLE = 240
MAX_WIDTH = 1024
"""Characters kept per line: the maximal length of a kernel message."""
_QUIET = 10.0
"""Seconds of the kernel's clock without a new line that end a report: longer than all CPUs take to answer."""
_END = re.compile(r"---\[ end (?P<what>trace|Kernel panic)")


def seconds(time: str) -> float | None:
    """The kernel's clock from its time stamp, None without one."""
    return float(time) if time else None


@dataclass(slots=True)
class Report:
    """One report, or a chain of them: `pattern`, `title` and `time` are those of the first, `severity` that of the worst.

    boot: number of the boot on this console
    distance: lines since the last message in the tables
    count: how many times a notice was repeated
    announces: only the preface was seen so far
    traced: its own trace is complete
    ended: later lines are not part of it, except for a panic that it caused
    panicked: the panic was seen
    left_out: it is counted but not kept
    before, since, amid: the report before it, seconds of the kernel's clock since that one's last line, and whether that
    one was still going on
    root: the first report of the chain that led to this one, once known
    """

    pattern: Pattern
    title: str
    time: str
    stamped: bool
    boot: int
    severity: Severity
    disarms: bool
    last: float | None = None
    head: list[str] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    lines: int = 0
    distance: int = 0
    announces: bool = False
    count: int = 1
    ended: bool = False
    traced: bool = False
    panicked: bool = False
    left_out: bool = False
    before: Report | None = None
    root: Report | None = None
    since: float | None = None
    amid: bool = False

    @classmethod
    def begin(cls, pattern: Pattern, text: str, time: str, stamped: bool, boot: int) -> Report:
        """A report whose first line is `text`."""
        title = text.removeprefix("---[ end ").removesuffix(" ]---")[:MAX_TITLE].strip()
        report = cls(pattern, title, time, stamped, boot, pattern.severity, pattern.disarms)
        report.announces = pattern.preface
        report.panicked = pattern.kind == "panic" and not pattern.preface
        report.keep(text, seconds(time))
        return report

    def age(self, time: float | None) -> float | None:
        """Seconds since its last line, None where either has no time."""
        return None if time is None or self.last is None else time - self.last

    def follow(self, before: Report) -> None:
        """Record the report before this one."""
        self.before = before
        self.since = before.age(self.last)
        self.amid = not before.ended and (self.since is None or self.since < _QUIET)

    def within(self, limit: float, time: float | None) -> bool:
        """Whether its last line is at most `limit` seconds old, or its age is unknown."""
        age = self.age(time)
        return age is None or abs(age) <= limit

    @property
    def gates(self) -> bool:
        """Whether it is a kernel problem, not just a notice."""
        return self.severity > Severity.NOTICE

    def join(self, pattern: Pattern, text: str, time: float | None) -> None:
        """Merge a message of the same problem."""
        self.severity = max(self.severity, pattern.severity)
        self.announces = pattern.preface
        self.distance = 0
        self.disarms = self.disarms or pattern.disarms
        self.panicked = self.panicked or (pattern.kind == "panic" and not pattern.preface)
        self.count += pattern.severity is Severity.NOTICE
        self.ended = self.traced = False
        self.keep(text, time)

    def add(self, text: str, time: float | None, stamped: bool) -> None:
        """Take the next console line, unless the report has ended or the line came from a program."""
        if self.ended or (self.stamped and not stamped):
            return
        age = self.age(time)
        too_late = age is not None and age > _QUIET
        if too_late or (self.pattern.alone and not self.panicked and self.lines >= CONTEXT):
            self.ended = True
            return
        self.keep(text, time)

    def keep(self, text: str, time: float | None) -> None:
        """Append a line to the report."""
        self.lines += 1
        self.distance += 1
        kept = self.head if len(self.head) < HEAD else self.tail
        kept.append(text[:MAX_WIDTH])
        self.last = self.last if time is None else time
        if end := _END.match(text):
            # A fatal report continues after its own trace: the panic that follows belongs to it.
            self.traced = True
            self.ended = end["what"] != "trace" or self.severity < Severity.FATAL

    @property
    def text(self) -> str:
        """The whole text, or head and tail with the number of lines left out between them."""
        left_out = self.lines - len(self.head) - len(self.tail)
        between = [f"[... {left_out} lines left out ...]"] if left_out > 0 else []
        return "\n".join((*self.head, *between, *self.tail))
