"""Collects the results and problems of a KTAP log, within limits."""

from __future__ import annotations

from kdevops.results.model import Status
from kdevops.suites.ktap.grammar import shorten
from kdevops.suites.ktap.level import Level
from kdevops.suites.ktap.parsed_log import Result

MAX_RESULTS = 20_000
"""Results kept of one log; later ones are only counted, but for as many failures and as many parents again."""
MAX_PROBLEMS = 50
"""Faults kept, and notes kept; later ones say nothing new."""
UNNAMED = "(unnamed)"


class Tally:
    """Counts and limits. `faults` make the log a failure, `notes` do not.

    `dropped` results were not kept, `dropped_failures` of them failed. `counted_passes` and `untold` are from the
    totals that tests print: passes, and failures that no result line reports.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.dropped = 0
        self.dropped_failures = 0
        self.counted_passes = 0
        self.untold = 0
        self._kept = 0

    def fault(self, text: str) -> None:
        """Add a problem of the log: it is not a pass."""
        if len(self.faults) < MAX_PROBLEMS:
            self.faults.append(shorten(text))

    def note(self, text: str) -> None:
        """Add an oddity that changes no result."""
        if len(self.notes) < MAX_PROBLEMS:
            self.notes.append(shorten(text))

    def repeats(self, level: Level, identity: int) -> bool:
        """Whether this level already had this result line; records it."""
        if identity in level.seen:
            return True
        if len(level.seen) < MAX_RESULTS:
            level.seen.add(identity)
        return False

    def keep(self, level: Level, result: Result, *, parent: bool) -> None:
        """Keep a result if there is room.

        There is more for failures, because they say how the test failed, and for parents, because their status covers
        dropped results below.
        """
        room = self._kept < MAX_RESULTS * (1 + parent + (not result.status.is_well))
        level.take(result, keep=room)
        if room:
            self._kept += 1
        else:
            self.dropped += 1
            self.dropped_failures += not result.status.is_well

    def end(self, level: Level, *, skipped: bool = False) -> None:
        """The level has no more results. `skipped`: its own result line says so."""
        level.fault = level.fault or level.judge()
        if level.fault and not (skipped and level.missing):  # a skip explains results that are missing
            self.fault(level.fault)
        elif not level.fault and level.count < level.expected:
            self.note(f"{level.label}: {level.expected - level.count} tests are in its totals, but gave no result")
        elif level.plan is not None and level.count > level.plan:
            self.note(f"{level.label}: {level.count} results where {level.plan} were planned")
        self.counted_passes += level.totals.get("pass", 0)
        self.untold += level.untold

    def orphan(self, level: Level, above: Level) -> None:
        """End a level without its parent's result line."""
        self.fault(f"{level.name or UNNAMED} was begun and never ended")
        self.end(level)
        result = Result(level.name or UNNAMED, Status.MISSING, "begun and never ended", tuple(level.results))
        self.keep(above, result, parent=True)

    def tell_dropped(self) -> None:
        """Report dropped results, if there are any."""
        if self.dropped:
            text = f"only {MAX_RESULTS} results were kept; {self.dropped_failures} of the other {self.dropped} failed"
            (self.fault if self.dropped_failures else self.note)(text)
