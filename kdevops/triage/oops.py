"""Find kernel problem reports in console output, and the one that names the cause rather than the last one printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kdevops.guest import printk
from kdevops.lab.suites import console_marks
from kdevops.triage import chain
from kdevops.triage.patterns import Pattern, Severity, find
from kdevops.triage.report import MAX_LINES, MAX_TITLE, MAX_WIDTH, Report, seconds
from kdevops.triage.signature import signature

__all__ = ["MAX_LINES", "MAX_REPORTS", "MAX_TITLE", "ConsoleWatch", "Oops", "Reports", "find_oops", "find_reports"]

MAX_REPORTS = 64
"""Reports kept per console; beyond that, the worst are kept."""
_MICROSECONDS = 6
"""Decimal digits that make a time stamp unique for a message."""
_RESTART = re.compile(r"Linux version \d")
# KTAP of in-kernel tests, and what blktests, which people run as a command, writes to the kernel log.
_NEXT_TEST = re.compile(r" *(?:not )?ok \d|run blktests ")


@dataclass(frozen=True, slots=True)
class Oops:
    """A kernel problem report. `title` is its first line, `text` the whole report without time stamps.

    `kind` is from `patterns.PATTERNS`; `severity` is the worst of the chain, so a warning that panics is fatal. `disarms`:
    it disabled a checker. `count`: how many times it was printed; only the first is kept.
    """

    kind: str
    title: str
    text: str
    severity: Severity
    disarms: bool = False
    count: int = 1

    @property
    def fatal(self) -> bool:
        """Whether the kernel panicked or oopsed, so that later results mean nothing."""
        return self.severity is Severity.FATAL

    @property
    def gates(self) -> bool:
        """Whether it is a kernel problem, not an error that a test may provoke."""
        return self.severity > Severity.NOTICE

    @property
    def spoils(self) -> bool:
        """Whether the guest must be reset: it cannot be trusted, or a checker is disabled."""
        return self.severity > Severity.WARNING or self.disarms

    @property
    def signature(self) -> str:
        """A name for the problem, stable across boots and runs: "KASAN: slab-use-after-free Read in foo"."""
        return signature(self.title, self.text)


class Reports(tuple[Oops, ...]):  # noqa: SLOT001 - a tuple's subclass has no slots with values
    """The reports of a console, in order. `left_out`: number of reports not kept."""

    left_out: int = 0


def find_reports(lines: Iterable[str]) -> Reports:
    """Every report in console lines, in order; a chain (a warning that panics) is one report.

    At most MAX_REPORTS are kept, each bounded; `left_out` counts the rest.
    """
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    return watch.reports


def find_oops(lines: Iterable[str]) -> Oops | None:
    """The report to blame; None if there is none.

    This is the worst report (the first of equals), or the one it seems to follow from: a report that ended less than a
    second before in the same task. Then the severity is the worst's, and the text has both.
    """
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    return watch.oops


class ConsoleWatch:
    """`find_reports` for live console output: feed lines, then check `oops`. Its memory is bounded."""

    def __init__(self) -> None:
        self._reports: list[Report] = []
        self._last: Report | None = None
        self._before: Report | None = None
        self._left_out = 0
        self._worst = -1
        self._boot = 0
        self._stamps = False

    def feed(self, line: str) -> bool:
        """Take a line; True if it begins a report worse than all before."""
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
            elif self._before and (_NEXT_TEST.match(text) or text.startswith(console_marks())):
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
        """Whether a program repeats an earlier kernel message: the same text with the same microsecond."""
        exact = len(time.partition(".")[2]) >= _MICROSECONDS
        return exact and any(kept.time == time and text.startswith(kept.title) for kept in self._reports)

    def _known(self, pattern: Pattern, text: str, now: float | None) -> Report | None:
        """The existing report that this message belongs to."""
        if self._last is None:
            return None
        if pattern.kind != "panic":
            return self._last if chain.explains(self._last, pattern, now) else None
        reports = [report for report in (*self._reports, self._last) if report.boot == self._boot]
        return chain.cause(reports, text, now)

    def _forget_programs(self) -> None:
        """Kernel messages have time stamps: drop `loose` reports without one, which came from programs."""
        self._reports = [kept for kept in self._reports if not kept.pattern.loose or kept.stamped]
        self._worst = max((kept.severity for kept in self._reports), default=-1)
        if self._last and self._last.pattern.loose:
            self._last = self._before = None

    def _take(self, report: Report) -> None:
        """Keep the report, replacing the last of the least severe ones if necessary."""
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
        """Another kernel boots: its reports are unrelated to earlier ones."""
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
        """The report to blame so far: the worst (the first of equals), or the one it followed from."""
        worst = max(self._reports, key=lambda report: report.severity, default=None)
        if worst is None:
            return None
        first = chain.root(worst)
        if first is worst:
            return _told(worst)
        return replace(_told(first), text=f"{first.text}\n{worst.text}", severity=worst.severity)


def _told(report: Report) -> Oops:
    return Oops(report.pattern.kind, report.title, report.text, report.severity, report.disarms, report.count)
