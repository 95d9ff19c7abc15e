"""What may be spent on deciding, and which tests it is spent on.

Pure but for the clock: `kdevops.run.decide` asks before each turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from kdevops.lab.verdict import Reruns
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.model import TestId

Limits = tuple[int | None, float | None]
"""Most single results, and most seconds; None for no limit of its own."""
FIRST_TURN = 16
"""Most single results of the first turn: it shows how long one takes."""
_FAIR_CHANCE = 3
"""Runs that a test gets before it is given up because more are unlikely to tell."""


@dataclass
class Spending:
    """A budget, counted from now on. `before`: the number of single results that earlier calls have spent."""

    budget: Reruns
    before: int = 0
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def room(self, spent: int) -> int:
        """How many more single results may be spent, when `spent` were in all: by number, and by what they take so far."""
        done, seconds = spent - self.before, self.clock() - self.began
        by_number, left = self.budget.count - done, self.budget.time - seconds
        if left <= 0:
            return 0
        return min(by_number, int(left * done / seconds) if done and seconds else FIRST_TURN)


def is_hopeless(each: Decided, *, since: int) -> bool:
    """Whether more runs are unlikely to decide on the test. `since`: how often it was tried before this call.

    They are if they would not at the rate of failures so far, nor at the lowest that these results are compatible with: of a
    test that failed in one rerun of three nobody knows yet, of one that failed in all of them one does.
    """
    if each.tries - since < _FAIR_CHANCE:
        return False
    return not each.runs or (still_to_go(each) is None and still_to_go(_at_best(each)) is None)


def _at_best(each: Decided) -> Decided:
    if isinstance(each.tally, Pairs):
        return each
    lowest, _ = wilson(int(each.tally.now_bad), int(each.tally.now_runs))
    return replace(each, tally=replace(each.tally, now_bad=lowest * each.tally.now_runs))


def that_fit(tests: Mapping[TestId, Decided], sides: Mapping[TestId, int], room: int) -> list[TestId]:
    """The tests to run once more: as many as can likely be decided with `room` single results, those soonest decided first.

    `sides`: the number of kernels that have the test. One test is chosen if at least one turn of it fits: better one decision
    that may come early than none.
    """
    soonest = sorted((still_to_go(each) or 1, test) for test, each in tests.items())
    chosen: list[TestId] = []
    for runs, test in soonest:
        needed = sides[test] * (runs if chosen else 1)
        if needed > room:
            break
        chosen.append(test)
        room -= sides[test] * runs
    return chosen
