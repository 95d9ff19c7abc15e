"""The state of a run in progress: updated by events, read by displays. It does not depend on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from kdevops.progress import Progress
from kdevops.results.events import GuestChanged, RunEvent, TestEnded, TestStarted
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.store import PlannedRow


@dataclass(slots=True)
class GuestRow:
    """One guest. `since` is the clock's time at which `state` or `test` last changed."""

    state: str
    since: float
    detail: str = ""
    test: TestId | None = None


@dataclass(slots=True)
class Board:
    """The state of the run. Times are seconds of one monotonic clock, given with each event."""

    planned: dict[TestId, float | None] = field(default_factory=dict)
    ended: dict[TestId, Status] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    guests: dict[str, GuestRow] = field(default_factory=dict)
    steps: dict[str, Progress] = field(default_factory=dict)

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome]) -> None:
        """Set the plan, and the results of a resumed run so far."""
        self.planned = {row.id: row.expected for row in rows}
        self.ended = {test: outcome.status for test, outcome in done.items()}

    def apply(self, event: RunEvent | Progress, now: float) -> None:
        """Apply one event."""
        match event:
            case Progress():
                self.steps.pop(event.step, None)
                if not event.done:
                    self.steps[event.step] = event
            case GuestChanged():
                self.guests[event.guest] = GuestRow(event.state, now, event.detail)
            case TestStarted():
                self.guests[event.guest] = GuestRow("running", now, test=event.test)
            case TestEnded():
                self._end(event, now)
            case _:
                pass

    @property
    def counts(self) -> Counts:
        """Number of tests per status so far."""
        return Counts.of(self.ended.values())

    def eta(self, now: float) -> float | None:
        """Seconds until the run is done, None while no test's duration is known.

        The remaining time of all pending tests divided by the number of working guests, but at least the longest remaining
        test. Tests of unknown duration count as the median of the known ones.
        """
        known = [seconds for seconds in self.planned.values() if seconds is not None] or self.took
        if not known:
            return None
        usual = median(known)
        since = {row.test: row.since for row in self.guests.values() if row.test}
        left = [
            max((usual if expected is None else expected) - (now - since.get(test, now)), 0.0)
            for test, expected in self.planned.items()
            if test not in self.ended
        ]
        working = sum(row.state != "down" for row in self.guests.values())
        return max(sum(left) / max(working, 1), max(left, default=0.0))

    def _end(self, event: TestEnded, now: float) -> None:
        self.ended[event.test] = event.outcome.status
        if event.outcome.status.ran_to_its_end:
            self.took.append(event.outcome.seconds)
        for row in self.guests.values():
            if row.test == event.test:
                row.test, row.state, row.since = None, "ready", now
