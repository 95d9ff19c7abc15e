"""Which failures nobody knows, so that they call for a decision."""

from __future__ import annotations

from math import comb

from kdevops.results.decision.interval import wilson

UNLIKELY = 0.1
"""A failure is unknown where it, or worse, has at most this probability at the lowest rate of the baseline's interval."""


def is_known(bad_before: int, runs_before: int, bad_now: int, runs_now: int) -> bool:
    """Whether `bad_now` bad results of `runs_now` are in line with the rate at which the test went bad before.

    The rate before is taken as low as its results allow (the low end of the 95 % interval), so that one old flake excuses
    nothing and the more passes are known, the less a failure is excused. `runs_now` is at least 1.
    """
    if not bad_now:
        return True
    if not bad_before:
        return False
    lowest, _ = wilson(bad_before, runs_before)
    return _at_least(bad_now, runs_now, lowest) > UNLIKELY


def _at_least(bad: int, runs: int, rate: float) -> float:
    """The probability of `bad` or more bad results in `runs`."""
    return 1 - sum(comb(runs, k) * rate**k * (1 - rate) ** (runs - k) for k in range(bad))
