"""Which failures nobody knows, so that they call for a decision."""

from __future__ import annotations

from functools import cache
from math import exp, fsum, lgamma, log, log1p

from kdevops.results.decision.interval import wilson

CLEAR = 0.05
"""Results that are less probable than this are not taken for a coincidence."""
UNLIKELY = 0.1
"""A failure is unknown where it, or worse, has at most this probability at the lowest rate of the baseline's interval."""


def is_known(bad_before: int, runs_before: int, bad_now: int, runs_now: int) -> bool:
    """Whether `bad_now` bad results of `runs_now` are in line with the rate at which the test went bad before.

    They are if the test goes bad no more often now. Otherwise the rate before is taken as low as its results allow (the low
    end of the 95 % interval), so that one old flake excuses nothing, and the more passes are known, the less a failure is
    excused. `runs_now` is at least 1.
    """
    if not bad_now:
        return True
    if not bad_before:
        return False
    if bad_now * runs_before <= bad_before * runs_now:
        return True
    lowest, _ = wilson(bad_before, runs_before)
    return _at_least(bad_now, runs_now, lowest) > UNLIKELY


def is_chance(bad_before: int, runs_before: int, bad_now: int, runs_now: int) -> bool:
    """Whether these results may be a coincidence: of a test that goes bad as often as the results before allow at most.

    False if there is nothing before that the results now contradict: a test that never passed.
    """
    if bad_before == runs_before:
        return False
    _, highest = wilson(bad_before, runs_before)
    return _at_least(bad_now, runs_now, highest) > CLEAR


@cache
def _at_least(bad: int, runs: int, rate: float) -> float:
    """The probability of `bad` or more bad results in `runs`."""
    if rate in {0.0, 1.0} or not bad:
        return float(rate == 1.0 or not bad)
    ways = lgamma(runs + 1)
    terms = (
        exp(ways - lgamma(k + 1) - lgamma(runs - k + 1) + k * log(rate) + (runs - k) * log1p(-rate))
        for k in range(bad, runs + 1)
    )
    return min(fsum(terms), 1.0)
