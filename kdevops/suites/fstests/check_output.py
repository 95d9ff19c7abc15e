"""Read what fstests' `check` prints, as it comes.

What became of a test is certain only when `check` goes on to the next one: older trees check the file systems and the
kernel's log after they have printed the seconds, and a failing test is told of in several steps. So its end is told
then. What is still open when `check` itself ends is told only where nothing more could have followed; else the test
stays untold, and whoever looks at the guest knows whether it crashed, hung, or has to be run again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import Began, PlannedTest, Told
from kdevops.suites.fstests import check_lines as lines
from kdevops.suites.fstests.check_refusal import Refusal
from kdevops.text import clean

MAX_LINE = 4096
"""Characters looked at of a line, at its beginning and again at its end."""
MAX_TEXT = 256 << 10
"""Characters kept of what is printed of one test."""


class CheckAccount:
    """The account (`kdevops.suites.base.Account`) of one run of `check` over `tests`, all of one profile.

    A test that is planned several times has ids named `generic/001`, `generic/001#2`, `generic/001#3`, …, which are
    told in this order. Seconds of a passed test are those that `check` gives; of the others, which it gives none for,
    those from beginning to end by `clock`.
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

    def feed(self, text: str) -> Sequence[Began | Told]:
        """Take text as it comes, lines cut anywhere; give what it tells of tests, each end once and in order."""
        events: list[Began | Told] = []
        *whole, self._rest = (self._rest + text.replace("\r", "")).split("\n")
        for line in whole:
            events += self._line(line)
        self._rest = _bounded(self._rest)
        if not self._opened and (name := lines.begun(self._rest)):
            events += self._begin(name)
            self._opened = True
        return events

    def close(self) -> Sequence[Began | Told]:
        """`check` has ended: what its last, unfinished line tells."""
        events = [*self._line(self._rest, whole=False)] if self._rest else []
        self._rest, self._closed = "", True
        return [*events, *self._end(over=False)]

    @property
    def complaint(self) -> str:
        """In a line, why `check` would not run; empty while it is content."""
        return self._refusal.likely if self._closed and self._silent else self._refusal.certain

    def _line(self, line: str, *, whole: bool = True) -> Sequence[Began | Told]:
        opened, self._opened = self._opened, False
        line = clean(_bounded(line), lines=True).rstrip()
        told = line
        if refused := lines.unknown(line):
            return self._refuse(*refused)
        if lines.ends_run(line):
            return self._end(over=False)
        events: list[Began | Told] = []
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

    def _begin(self, name: str) -> Sequence[Began | Told]:
        events = self._end(over=True)
        self._current = _Test(name, self._clock())
        ids = self._untold.get(name)
        if not ids:
            return events
        self._silent = False
        return [*events, Began(ids[0])]

    def _end(self, *, over: bool) -> list[Began | Told]:
        """The test under way has ended; `over` says that `check` went on to another."""
        test, self._current = self._current, None
        outcome = test.outcome(self._clock(), over=over) if test else None
        return self._tell(test.name, outcome, test.text) if test and outcome else []

    def _refuse(self, name: str, words: str) -> list[Began | Told]:
        events = self._end(over=True) if self._current and self._current.name != name else []
        self._current = None
        return [*events, *self._tell(name, Outcome(Status.MISSING, reason=f"check: {words}"), "")]

    def _tell(self, name: str, outcome: Outcome, text: str) -> list[Began | Told]:
        ids = self._untold.get(name)
        if not ids:
            return []
        self._silent = False
        return [Told(ids.popleft(), outcome, text)]


def check_name(test: TestId) -> str:
    """What `check` calls a test: its name without the number of its repetition."""
    return test.plain.name


@dataclass(slots=True)
class _Test:
    """What `check` has said so far of the test under way."""

    name: str
    began: float
    text: str = ""
    failure: str = ""
    skipped: str | None = None
    seconds: int | None = None
    concluded: bool = False

    def keep(self, line: str) -> None:
        """Keep a line as it was printed, while there is room."""
        if len(self.text) + len(line) < MAX_TEXT:
            self.text += f"{line}\n"

    def read(self, text: str, *, whole: bool) -> None:
        """Take a line, or what stands behind the name on the first; `whole` says that its end was seen."""
        if self.skipped is not None:
            if not self.skipped:
                self.skipped = lines.reason_below(text)
            return
        if self.failure in {"", "dumped core"} and (skipped := lines.skip_reason(text)) is not None:
            self.skipped = skipped
            return
        failure = lines.failure(text)
        self.failure = self.failure or failure
        if self.failure:
            self.concluded |= whole and lines.closes_failure(text)
        elif whole and (seconds := lines.seconds(text)):
            self.seconds, self.concluded = seconds

    def outcome(self, now: float, *, over: bool) -> Outcome | None:
        """How the test ended; None while that is not certain."""
        took = max(now - self.began, 0.0)
        if self.skipped is not None:
            return Outcome(Status.SKIP, took, self.skipped)
        if not (over or self.concluded):
            return None
        if self.failure:
            return Outcome(Status.FAIL, took, self.failure)
        return Outcome(Status.PASS, float(self.seconds)) if self.seconds is not None else None


def _bounded(line: str) -> str:
    return line if len(line) <= 2 * MAX_LINE else line[:MAX_LINE] + line[-MAX_LINE:]
