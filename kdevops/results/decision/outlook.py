"""How many more runs a decision is likely to take."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil, log

from kdevops.results.decision import several
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, log_not_worse, log_worse
from kdevops.results.decision.stored import Against

FAR = 4096
"""Runs of one test, on each kernel, beyond which no decision is expected."""
_FIRST_GUESS = Pairs(neither=1)


def still_to_go(each: Decided) -> int | None:
    """The number of further runs on each kernel until the test is likely decided; None if it is decided, or that is FAR."""
    if each.decision is not Decision.OPEN or each.is_hopeless:
        return None
    return runs_to_go(each.tally, each.of, each.rule, guard=each.guard)


@cache
def runs_to_go(tally: Tally, selected: int, rule: Rule, *, guard: bool = False) -> int | None:
    """The number of further runs on each kernel until the test is decided, if it goes on as it did; None if that is FAR.

    `selected` is the number of tests that were selected in the run; a `guard` can only be excluded. With few runs so far this
    is a rough estimate.
    """
    bar = several.log_threshold(selected, 1, rule.alpha)
    done = _runs(tally)
    start = tally if done else _start(tally)
    size = max(done, 1)

    def decided(runs: int) -> bool:
        later = start.scaled(runs / size)
        worse = not guard and log_worse(later, rule) >= bar
        return worse or log_not_worse(later, rule.smallest) >= log(1 / rule.alpha)

    found = _first(decided, ceil(done) + 1)
    return None if found is None else found - ceil(done)


def _runs(tally: Tally) -> float:
    return tally.runs if isinstance(tally, Pairs) else tally.now_runs


def _start(tally: Tally) -> Tally:
    """Before the first run: as if it were the flake that most selected tests are."""
    if isinstance(tally, Pairs):
        return _FIRST_GUESS
    return Against(tally.baseline_runs, tally.baseline_bad, 1, 0)


def _first(holds: Callable[[int], bool], low: int) -> int | None:
    """The first number from `low` on for which it holds, once it holds for all that follow; None beyond FAR."""
    high = low
    while not holds(high):
        if high >= FAR:
            return None
        low, high = high + 1, min(high * 2, FAR)
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
