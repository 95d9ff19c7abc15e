"""Find in a console what a kernel said before it died: the report that tells the cause, not the last one printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from kdevops.guest import printk
from kdevops.triage.patterns import Severity, find

MAX_LINES = 150
"""Lines of a report that are kept: registers, code and a deep call trace, twice."""
MAX_TITLE = 240
_END = re.compile(r"---\[ end (?P<what>trace|Kernel panic)")


@dataclass(frozen=True, slots=True)
class Oops:
    """A kernel's report of its own trouble. `title` is its first line, `text` all of it, time stamps taken off.

    `fatal`: the kernel panicked or oopsed, so what happened after it says nothing. `kind` is of `patterns.PATTERNS`.
    """

    kind: str
    title: str
    text: str
    severity: Severity

    @property
    def fatal(self) -> bool:
        """Whether the kernel panicked or oopsed."""
        return self.severity is Severity.FATAL


def find_oops(lines: Iterable[str]) -> Oops | None:
    """The worst report in `lines`, the first of equals, so a cause goes before its panic; None when all is well."""
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    return watch.oops


@dataclass(slots=True)
class _Report:
    """A report while it is being read."""

    kind: str
    severity: Severity
    title: str
    alone: bool
    lines: list[str] = field(default_factory=list)
    ended: bool = False

    def add(self, text: str) -> None:
        if self.ended:
            return
        self.lines.append(text)
        end = _END.search(text)
        # A fatal report goes on after its own trace: the panic that follows belongs to it.
        goes_on = self.severity is Severity.FATAL and end is not None and end["what"] == "trace"
        self.ended = len(self.lines) >= MAX_LINES or (end is not None and not goes_on)


class ConsoleWatch:
    """`find_oops` for a console that is still being written: feed lines, look at `oops`. Its memory is bounded."""

    def __init__(self) -> None:
        self._report: _Report | None = None

    def feed(self, line: str) -> bool:
        """Take a line; True when the kernel began with it to report something worse than what it reported before."""
        text = printk.message(line).rstrip()
        found = find(text)
        worse = found is not None and (self._report is None or found[0].severity > self._report.severity)
        if found and worse:
            pattern, column = found
            if pattern.kind == "panic" and self._report and not (self._report.ended or self._report.alone):
                self._report.severity = Severity.FATAL  # panic_on_warn and its like: the report under way is the cause
            else:
                self._report = _Report(pattern.kind, pattern.severity, text[column:][:MAX_TITLE], pattern.alone)
        if self._report:
            self._report.add(text)
        return worse

    @property
    def oops(self) -> Oops | None:
        """The worst report so far."""
        report = self._report
        if report is None:
            return None
        return Oops(report.kind, report.title, "\n".join(report.lines), report.severity)
