"""What may be spent on deciding, and which tests it is spent on.

Pure but for the clock: `kdevops.run.decide` asks before each turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from kdevops.lab.verdict import Reruns
from kdevops.results.decision.decide import Decided
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.decision.stored import Against
from kdevops.results.model import TestId

Limits = tuple[int | None, float | None]
"""Most single results, and most seconds; None for no limit of its own."""
FAIR_CHANCE = 3
"""Runs that a test gets before it is given up because more are unlikely to tell."""


class Room(NamedTuple):
    """How many more single results may be spent: `by_number`, and, at the pace so far, `by_time`."""

    by_number: int
    by_time: int


NO_ROOM = Room(0, 0)


def in_short(budget: Reruns) -> str:
    """The budget for a person: "30 min or 200 results", or in seconds what is not in whole minutes."""
    time = f"{budget.time:.10g} s" if budget.time % 60 else f"{budget.time / 60:.0f} min"
    return f"{time} or {budget.count} result{'s' if budget.count != 1 else ''}"


@dataclass
class Spending:
    """A budget, counted from now on. `before`: the number of single results that earlier calls have spent."""

    budget: Reruns
    before: int = 0
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def room(self, spent: int) -> Room:
        """The room when `spent` results were spent in all. Before the first nobody knows the pace: there is none by time."""
        done, seconds = spent - self.before, self.clock() - self.began
        by_number, left = self.budget.count - done, self.budget.time - seconds
        if left <= 0 or by_number <= 0:
            return NO_ROOM
        return Room(by_number, int(left * done / seconds) if seconds else 0)


def is_hopeless(each: Decided, *, since: int) -> bool:
    """Whether more runs are unlikely to decide on the test. `since`: how often it was tried before this call.

    They are if they would not at the rate of failures so far, nor at the lowest that these results are compatible with: of a
    test that failed in one rerun of three nobody knows yet, of one that failed in all of them one does.
    """
    if each.is_hopeless:
        return True
    if each.tries - since < FAIR_CHANCE:
        return False
    return not each.runs or (still_to_go(each) is None and still_to_go(_at_best(each)) is None)


def _at_best(each: Decided) -> Decided:
    """The same with as few failures, and results lost, as is compatible with those seen."""
    tally, tries = each.tally, each.tries

    def least(number: float) -> float:
        return wilson(int(number), tries)[0] * tries

    lost = least(tally.lost)
    if isinstance(tally, Against):
        bad = least(tally.now_bad)
        return replace(each, tally=replace(tally, now_runs=tries - lost, now_bad=bad, lost=lost))
    only_now = least(tally.only_now)
    neither = tally.neither + tally.lost - lost + tally.only_now - only_now
    return replace(each, tally=replace(tally, only_now=only_now, neither=neither, lost=lost))


def that_fit(
    tests: Mapping[TestId, Decided], sides: Mapping[TestId, int], room: Room, *, abreast: int = 1
) -> list[TestId]:
    """The tests to run once more, those soonest decided first: as many as there likely is room to decide.

    `sides`: the number of kernels that have the test. So many tests run `abreast`, in as many guests, in the time of one. One
    test is chosen even if there is room by number for a single turn of it: better a decision that may come early than none.
    """
    to_go = {test: still_to_go(each) for test, each in tests.items()}
    soonest = sorted((runs is None, runs or FAIR_CHANCE, test) for test, runs in to_go.items())
    chosen: list[TestId] = []
    number, by_time = room
    for _, runs, test in soonest if room.by_number > 0 else ():
        needed = sides[test] * runs
        if len(chosen) >= abreast and needed > by_time:
            break
        if needed <= number or (not chosen and sides[test] <= number):
            chosen.append(test)
            number, by_time = number - needed, by_time - needed
    return chosen
