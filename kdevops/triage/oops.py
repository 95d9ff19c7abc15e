"""Find in a console what a kernel said of its own trouble, and the report that tells the cause, not the last one printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kdevops.guest import printk
from kdevops.triage import chain
from kdevops.triage.patterns import Pattern, Severity, find
from kdevops.triage.report import MAX_LINES, MAX_TITLE, MAX_WIDTH, Report, seconds
from kdevops.triage.signature import signature

__all__ = ["MAX_LINES", "MAX_REPORTS", "MAX_TITLE", "ConsoleWatch", "Oops", "Reports", "find_oops", "find_reports"]

MAX_REPORTS = 64
"""Reports of one console that are kept; of more, the worst are."""
_MICROSECONDS = 6
"""Digits behind the point of a time stamp that tells one message from all others."""
_RESTART = re.compile(r"Linux version \d")
# KTAP of the kernel's own tests, and what fstests and blktests write to the kernel's log.
_NEXT_TEST = re.compile(r" *(?:not )?ok \d|run (?:fstests|blktests) ")


@dataclass(frozen=True, slots=True)
class Oops:
    """A kernel's report of its own trouble. `title` is its first line, `text` all of it, time stamps taken off.

    `kind` is of `patterns.PATTERNS`; `severity` is the worst of the chain, so a warning that panics is fatal. `disarms`: a
    checker is off since. `count`: how often it was said, where only the first is kept.
    """

    kind: str
    title: str
    text: str
    severity: Severity
    disarms: bool = False
    count: int = 1

    @property
    def fatal(self) -> bool:
        """Whether the kernel panicked or oopsed, so that what happened after it says nothing."""
        return self.severity is Severity.FATAL

    @property
    def gates(self) -> bool:
        """Whether it is the kernel's own trouble, and not an error that a test may provoke."""
        return self.severity > Severity.NOTICE

    @property
    def spoils(self) -> bool:
        """Whether the guest should be reset after it: it cannot be trusted, or a checker of it is off."""
        return self.severity > Severity.WARNING or self.disarms

    @property
    def signature(self) -> str:
        """A name of the same trouble across boots and runs: what, how and where, "KASAN: slab-use-after-free Read in foo"."""
        return signature(self.title, self.text)


class Reports(tuple[Oops, ...]):  # noqa: SLOT001 - a tuple's subclass has no slots with values
    """The reports of a console, in order. `left_out` were counted and are not among them."""

    left_out: int = 0


def find_reports(lines: Iterable[str]) -> Reports:
    """Every report in the lines of a console, in order; those of one chain (a warning that panics) are one.

    At most MAX_REPORTS are kept, each bounded; the rest is counted in `left_out`.
    """
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    return watch.reports


def find_oops(lines: Iterable[str]) -> Oops | None:
    """The report to blame; None when all is well.

    That is the worst, the first of equals, or what it looks like a consequence of: a report that ended less than a second
    before in the same task. Its severity is the worst's, and its text both.
    """
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    return watch.oops


class ConsoleWatch:
    """`find_reports` for a console that is still being written: feed lines, look at `oops`. Its memory is bounded."""

    def __init__(self) -> None:
        self._reports: list[Report] = []
        self._last: Report | None = None
        self._before: Report | None = None
        self._left_out = 0
        self._worst = -1
        self._boot = 0
        self._stamps = False

    def feed(self, line: str) -> bool:
        """Take a line; True when the kernel began with it to report something worse than what it reported before."""
        text, stamped, time = printk.parse(line)
        text = text.rstrip()
        if stamped and not self._stamps:
            self._stamps = True
            self._forget_programs()
        found = find(text)
        if found and not (found[0].loose and self._stamps and not stamped and found[1] <= 1):
            return self._begin(*found, text, time, stamped)
        if self._last:
            if _RESTART.match(text):
                self._restart()
            elif self._before and _NEXT_TEST.match(text):
                self._before = None
            if not stamped and self._last.stamped and len(columns := printk.begins(text, MAX_WIDTH)) > 1:
                text, stamped = text[columns[1] :], True
            self._last.add(text, seconds(time), stamped)
        return False

    def _begin(self, pattern: Pattern, column: int, text: str, time: str, stamped: bool) -> bool:
        if column:
            text, stamped = text[column:], True
        if self._copied(text, time):
            return False
        now = seconds(time)
        report = self._known(pattern, text, now)
        if report:
            report.join(pattern, text, now)
        else:
            report = Report.begin(pattern, text, time, stamped, self._boot)
            if self._before:
                chain.settle(self._before)
                report.follow(self._before)
        self._last = report
        self._before = report if report.gates else self._before
        self._take(report)
        worse = report.severity > self._worst
        self._worst = max(self._worst, report.severity)
        return worse

    def _copied(self, text: str, time: str) -> bool:
        """Whether a program shows on the console what the kernel said before: the same at the same microsecond."""
        exact = len(time.partition(".")[2]) >= _MICROSECONDS
        return exact and any(kept.time == time and text.startswith(kept.title) for kept in self._reports)

    def _known(self, pattern: Pattern, text: str, now: float | None) -> Report | None:
        """The report of which this is a part."""
        if self._last is None:
            return None
        if pattern.kind != "panic":
            return self._last if chain.explains(self._last, pattern, now) else None
        reports = [report for report in (*self._reports, self._last) if report.boot == self._boot]
        return chain.cause(reports, text, now)

    def _forget_programs(self) -> None:
        """The kernel stamps its messages, so what was said without a stamp in words that programs use too was not its own."""
        self._reports = [kept for kept in self._reports if not kept.pattern.loose or kept.stamped]
        self._worst = max((kept.severity for kept in self._reports), default=-1)
        if self._last and self._last.pattern.loose:
            self._last = self._before = None

    def _take(self, report: Report) -> None:
        """Keep it, if need be in the place of the last of the least ones."""
        if any(report is kept for kept in self._reports):
            return
        if len(self._reports) >= MAX_REPORTS:
            least = min(reversed(self._reports), key=lambda kept: kept.severity)
            self._left_out += not report.left_out
            report.left_out = least.severity >= report.severity
            if report.left_out:
                return
            least.left_out = True
            self._reports = [kept for kept in self._reports if kept is not least]
        self._reports.append(report)

    def _restart(self) -> None:
        """Another kernel begins: nothing of what it says is explained by the one before."""
        self._boot += 1
        self._before = None
        if self._last:
            self._last.ended = True

    @property
    def reports(self) -> Reports:
        """The reports so far."""
        reports = Reports(_told(report) for report in self._reports)
        reports.left_out = self._left_out
        return reports

    @property
    def oops(self) -> Oops | None:
        """The report to blame so far: the worst, the first of equals, or the one that it followed from."""
        worst = max(self._reports, key=lambda report: report.severity, default=None)
        if worst is None:
            return None
        first = chain.root(worst)
        if first is worst:
            return _told(worst)
        return replace(_told(first), text=f"{first.text}\n{worst.text}", severity=worst.severity)


def _told(report: Report) -> Oops:
    return Oops(report.pattern.kind, report.title, report.text, report.severity, report.disarms, report.count)
