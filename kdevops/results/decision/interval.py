"""The interval of a failure rate."""

from __future__ import annotations

from math import sqrt

CONFIDENCE_95 = 1.959963984540054


def wilson(bad: int, runs: int, z: float = CONFIDENCE_95) -> tuple[float, float]:
    """The rates, lowest and highest, that `bad` of `runs` results are compatible with; (0, 1) for no runs.

    Wilson's score interval; `z` is the quantile of the normal distribution, 1.96 for 95 % on both sides together.
    """
    if not runs:
        return 0.0, 1.0
    share, square = bad / runs, z * z
    middle = (share + square / (2 * runs)) / (1 + square / runs)
    half = z * sqrt(share * (1 - share) / runs + square / (4 * runs * runs)) / (1 + square / runs)
    return (0.0 if bad == 0 else max(0.0, middle - half)), (1.0 if bad == runs else min(1.0, middle + half))
