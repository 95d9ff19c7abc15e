"""Which of several tests regressed, so that a run's chance of a false alarm does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from math import log


def log_threshold(tests: int, regressed: int, alpha: float) -> float:
    """What the log evidence of each of `regressed` tests must reach when `tests` were selected: log(tests/(alpha*regressed))."""
    return log(tests / (alpha * regressed))


def how_many(log_evidence: Iterable[float], alpha: float, *, of: int = 0) -> int:
    """How many of these tests regressed: the largest k for which the k strongest reach their threshold (e-BH).

    The expected share of false alarms among them is at most `alpha`, whatever the tests have to do with each other; in a run
    where nothing regressed that is the probability of any. Wang, Ramdas: "False discovery rate control with e-values",
    2022. `log_evidence` has one value for each test that was selected, also for those that are decided; `of` is their number
    together with that of others, which have no evidence, if that is more.
    """
    strongest = sorted(log_evidence, reverse=True)
    return max(
        (k for k, each in enumerate(strongest, 1) if each >= log_threshold(max(of, len(strongest)), k, alpha)),
        default=0,
    )
