"""The history of one test in one lab: when it passed last, where it began to fail, how often it passes on each kernel.

Repeats of a test in a run are one event: bad if any went bad, good if one passed and none went bad, else it says nothing (it
skipped, or has no result). Reruns that decide on a failure count in the rates, but are not events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from kdevops.results.decision.interval import wilson
from kdevops.results.model import Counts, Status
from kdevops.results.occurrences import Occurrence


class State(StrEnum):
    """What a test does now. `NEW`: it failed for the first time since it last passed, in the newest run in which it ran."""

    PASSES = "passes"
    NEW = "new failure"
    FAILING = "still failing"
    NEVER_RAN = "never ran"


@dataclass(frozen=True, slots=True)
class Event:
    """What a test did in one run; `counts` are its results there, `reason` is the first that went bad gave, or else the first."""

    run: int
    at: str
    kernel: str
    counts: Counts
    reason: str

    @property
    def bad(self) -> bool:
        """Whether it went bad in this run."""
        return self.counts.bad > 0

    @property
    def good(self) -> bool:
        """Whether it passed in this run, each time that it ran."""
        return self.counts[Status.PASS] > 0 and not self.bad


@dataclass(frozen=True, slots=True)
class Failure:
    """A time in which a test did not pass: from the run `began`, the first that failed after the run `after` had passed.

    `after` is None if it had never passed, `fixed` if it has not passed since. `runs`: in how many runs it failed.
    """

    began: Event
    after: Event | None
    fixed: Event | None
    runs: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a test passed on one kernel, in runs and in reruns that decide; skips and missing results do not count."""

    kernel: str
    passes: int
    runs: int

    @property
    def interval(self) -> tuple[float, float]:
        """The rates of passes that this is compatible with, 95 %."""
        return wilson(self.passes, self.runs)


@dataclass(frozen=True, slots=True)
class History:
    """A test's history in one lab, everything newest first."""

    lab: str
    events: Sequence[Event]
    failures: Sequence[Failure]
    rates: Sequence[Rate]

    @property
    def state(self) -> State:
        """What the test does now."""
        newest = next((event for event in self.events if event.bad or event.good), None)
        if newest is None:
            return State.NEVER_RAN
        if newest.good:
            return State.PASSES
        return State.NEW if self.failures[0].runs == 1 else State.FAILING

    @property
    def last_passed(self) -> Event | None:
        """The newest run in which it passed; None if it never did."""
        return next((event for event in self.events if event.good), None)

    @property
    def began(self) -> Event | None:
        """The first run that failed since it passed last; None if it passes."""
        return self.failures[0].began if self.failures and not self.failures[0].fixed else None


def histories(found: Iterable[Occurrence]) -> list[History]:
    """The history of a test in each lab, that of the newest run first; `found` are all its results."""
    by_lab: dict[str, list[Occurrence]] = {}
    for each in sorted(found, key=lambda each: each.run):
        by_lab.setdefault(each.lab, []).append(each)
    made = [_history(lab, results) for lab, results in by_lab.items()]
    return sorted(made, key=lambda history: -max(each.run for each in by_lab[history.lab]))


def _history(lab: str, results: Sequence[Occurrence]) -> History:
    own = groupby((each for each in results if each.decides is None), key=lambda each: each.run)
    events = [_event(list(group)) for _, group in own]
    return History(lab, events[::-1], _failures(events)[::-1], _rates(results))


def _event(results: Sequence[Occurrence]) -> Event:
    told = next((each for each in results if each.status.is_bad), results[0])
    return Event(told.run, told.at, told.kernel, Counts.of(each.status for each in results), told.reason)


def _failures(events: Iterable[Event]) -> list[Failure]:
    """Those of events in order, the oldest first."""
    found: list[Failure] = []
    began: Event | None = None
    passed: Event | None = None
    runs = 0
    for event in events:
        if event.bad:
            began, runs = began or event, runs + 1
        elif event.good:
            if began:
                found.append(Failure(began, passed, event, runs))
            began, passed, runs = None, event, 0
    return [*found, Failure(began, passed, None, runs)] if began else found


def _rates(results: Iterable[Occurrence]) -> list[Rate]:
    """The rate of each kernel, that of the newest run first."""
    passes: dict[str, list[bool]] = {}
    for each in reversed(list(results)):
        if each.status.ran:
            passes.setdefault(each.kernel, []).append(each.status is Status.PASS)
    return [Rate(kernel, sum(found), len(found)) for kernel, found in passes.items()]
