"""Read the output of fstests' `check` while it runs.

A result is certain only when `check` continues with the next test: older trees check the file systems and the kernel
log after they print the seconds, and a failure is printed in several steps. So the end of a test is reported then. A
test that is still open when `check` itself ends is reported only if nothing more could have followed; otherwise the
caller, who can look at the guest, decides whether it crashed, hung, or must be run again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import ParsedEnd, ParsedStart, PlannedTest
from kdevops.suites.fstests import check_lines as lines
from kdevops.suites.fstests.check_failures import Failures
from kdevops.suites.fstests.check_refusal import Refusal
from kdevops.text import clean

MAX_LINE = 4096
"""Characters examined at the beginning of a line, and again at its end."""
MAX_TEXT = 256 << 10
"""Characters kept of one test's output."""


class CheckParser:
    """The parser (`kdevops.suites.base.OutputParser`) of the output of one run of `check` over `tests`, all of one profile.

    A test that is planned several times has ids named `generic/001`, `generic/001#2`, `generic/001#3`, …, which are
    reported in this order. Seconds of a passed test are from `check`; it prints none for the others, whose seconds are
    measured by `clock`.
    """

    def __init__(self, tests: Sequence[PlannedTest], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._untold: dict[str, deque[TestId]] = {}
        for test in tests:
            self._untold.setdefault(check_name(test.id), deque()).append(test.id)
        self._rest = ""
        self._opened = False
        self._silent = True
        self._closed = False
        self._current: _Test | None = None
        self._refusal = Refusal()

    def feed(self, text: str) -> Sequence[ParsedStart | ParsedEnd]:
        """Process a piece of text, which may end in the middle of a line; return events in order, each end once."""
        events: list[ParsedStart | ParsedEnd] = []
        *whole, self._rest = (self._rest + text.replace("\r", "")).split("\n")
        for line in whole:
            events += self._line(line)
        self._rest = _bounded(self._rest)
        if not self._opened and (name := lines.begun(self._rest)):
            events += self._begin(name)
            self._opened = True
        return events

    def close(self) -> Sequence[ParsedStart | ParsedEnd]:
        """`check` has ended: return the events of its last, incomplete line."""
        events = [*self._line(self._rest, whole=False)] if self._rest else []
        self._rest, self._closed = "", True
        return [*events, *self._end(over=False)]

    @property
    def complaint(self) -> str:
        """One line why `check` could not run; empty if there was no problem."""
        return self._refusal.likely if self._closed and self._silent else self._refusal.certain

    def _line(self, line: str, *, whole: bool = True) -> Sequence[ParsedStart | ParsedEnd]:
        opened, self._opened = self._opened, False
        line = clean(_bounded(line), lines=True).rstrip()
        told = line
        if refused := lines.unknown(line):
            return self._refuse(*refused)
        if lines.ends_run(line):
            return self._end(over=False)
        events: list[ParsedStart | ParsedEnd] = []
        if started := lines.start(line):
            name, line = started
            if not opened:
                events += self._begin(name)
        if self._current is None:
            self._refusal.read(line)
        else:
            self._current.keep(told)
            self._current.read(line, whole=whole)
        return events

    def _begin(self, name: str) -> Sequence[ParsedStart | ParsedEnd]:
        events = self._end(over=True)
        self._current = _Test(name, self._clock())
        ids = self._untold.get(name)
        if not ids:
            return events
        self._silent = False
        return [*events, ParsedStart(ids[0])]

    def _end(self, *, over: bool) -> list[ParsedStart | ParsedEnd]:
        """End the running test; `over`: `check` continued with another one."""
        test, self._current = self._current, None
        outcome = test.outcome(self._clock(), over=over) if test else None
        return self._tell(test.name, outcome, test.text) if test and outcome else []

    def _refuse(self, name: str, words: str) -> list[ParsedStart | ParsedEnd]:
        events = self._end(over=True) if self._current and self._current.name != name else []
        self._current = None
        return [*events, *self._tell(name, Outcome(Status.MISSING, reason=f"check: {words}"), "")]

    def _tell(self, name: str, outcome: Outcome, text: str) -> list[ParsedStart | ParsedEnd]:
        ids = self._untold.get(name)
        if not ids:
            return []
        self._silent = False
        return [ParsedEnd(ids.popleft(), outcome, text)]


def check_name(test: TestId) -> str:
    """The name that `check` uses for a test: without the number of its repetition."""
    return test.plain.name


@dataclass(slots=True)
class _Test:
    """What `check` has printed so far about the running test."""

    name: str
    began: float
    text: str = ""
    failures: Failures = field(default_factory=Failures)
    skipped: str | None = None
    seconds: int | None = None
    concluded: bool = False

    def keep(self, line: str) -> None:
        """Keep a line as it was printed, if there is room."""
        if len(self.text) + len(line) < MAX_TEXT:
            self.text += f"{line}\n"

    def read(self, text: str, *, whole: bool) -> None:
        """Process a line, or the rest of the first one after the name; `whole`: it was terminated."""
        if self.skipped is not None:
            if not self.skipped:
                self.skipped = lines.reason_below(text)
            return
        if self.failures.first in {"", "dumped core"} and (skipped := lines.skip_reason(text)) is not None:
            self.skipped = skipped
            return
        self.failures.read(text)
        if self.failures.first:
            self.concluded |= whole and lines.closes_failure(text)
        elif whole and (seconds := lines.seconds(text)):
            self.seconds, self.concluded = seconds

    def outcome(self, now: float, *, over: bool) -> Outcome | None:
        """How the test ended; None while that is uncertain."""
        took = max(now - self.began, 0.0)
        if self.skipped is not None:
            return Outcome(Status.SKIP, took, self.skipped)
        if not (over or self.concluded):
            return None
        if self.failures.first:
            return Outcome(Status.FAIL, took, self.failures.first, self.failures.subtests(over=over))
        return Outcome(Status.PASS, float(self.seconds)) if self.seconds is not None else None


def _bounded(line: str) -> str:
    return line if len(line) <= 2 * MAX_LINE else line[:MAX_LINE] + line[-MAX_LINE:]
