"""Evidence from runs on the kernel under test alone, against counts that the baseline has stored.

The number of stored results was fixed before these runs began, which makes both kinds of evidence e-processes, as those of
`beside`, for a test taken at random. But tests are selected for failing, and those with lucky results stored are selected
most easily; so all tests of a run count when several are decided, not only the selected ones (see `several`).

Both are a weighted average of likelihoods divided by the greatest likelihood that the hypothesis allows (Wasserman,
Ramdas, Balakrishnan: "Universal inference", 2020). Little stored means little evidence, however often the test is run now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import inf, log

from kdevops.results.decision.alternatives import ALTERNATIVES
from kdevops.results.decision.numbers import log_likelihood, log_sum

_SAME_RATES = (0.004, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Against:
    """How many results, and how many of them bad: those stored of the baseline, and those `now`.

    `lost`: how often the kernel under test gave none.
    """

    baseline_runs: float = 0
    baseline_bad: float = 0
    now_runs: float = 0
    now_bad: float = 0
    lost: float = 0

    @property
    def passes(self) -> float:
        """How many of the stored results are not bad."""
        return self.baseline_runs - self.baseline_bad

    def and_one(self, *, now: bool) -> Against:
        """These and one more result on the kernel under test; `now`: it is bad."""
        return replace(self, now_runs=self.now_runs + 1, now_bad=self.now_bad + now)

    def and_lost(self) -> Against:
        """These and one more run without a result."""
        return replace(self, lost=self.lost + 1)

    def scaled(self, factor: float) -> Against:
        """What is stored, and as many results now as there are, times a factor."""
        return replace(self, now_runs=self.now_runs * factor, now_bad=self.now_bad * factor, lost=self.lost * factor)


@cache
def log_worse(counts: Against) -> float:
    """Natural logarithm of the evidence against "the kernel under test fails no more often than the baseline did"."""
    seen = log_sum(each.log_weight + _log_of(counts, each.baseline, each.now) for each in ALTERNATIVES)
    return seen - _greatest(counts, at_least=-1.0)


@cache
def log_not_worse(counts: Against, smallest: float) -> float:
    """Natural logarithm of the evidence against "it fails more often by `smallest` (0 to 1) or more".

    A result that is lost may hide a failure: it counts as one.
    """
    if not 0 < smallest < 1:
        return -inf
    counts = replace(counts, now_runs=counts.now_runs + counts.lost, now_bad=counts.now_bad + counts.lost, lost=0)
    weight = log(1 / len(_SAME_RATES))
    return log_sum(weight + _log_of(counts, rate, rate) for rate in _SAME_RATES) - _greatest(counts, at_least=smallest)


def _log_of(counts: Against, baseline: float, now: float) -> float:
    return log_likelihood(baseline, counts.baseline_runs, counts.baseline_bad) + log_likelihood(
        now, counts.now_runs, counts.now_bad
    )


def _greatest(counts: Against, *, at_least: float) -> float:
    """The greatest log likelihood of rates whose difference is allowed.

    With `at_least` -1: the rate now is at most that of the baseline; else it is greater by that or more.
    """
    # Where nothing is stored, the hypothesis allows most if the baseline never failed.
    never = 0.0 if at_least > 0 else None
    baseline = counts.baseline_bad / counts.baseline_runs if counts.baseline_runs else never
    now = counts.now_bad / counts.now_runs if counts.now_runs else None
    if baseline is None or now is None or (now <= baseline if at_least < 0 else now - baseline >= at_least):
        free = (rate if rate is not None else (now or 0.0) for rate in (baseline, now))
        return _log_of(counts, *free)
    # Both likelihoods are concave, so the greatest is where the difference just fits; there it has one maximum.
    shift = max(at_least, 0.0)
    low, high = 0.0, 1.0 - shift
    for _ in range(80):
        third = (high - low) / 3
        left, right = low + third, high - third
        if _log_of(counts, left, left + shift) < _log_of(counts, right, right + shift):
            low = left
        else:
            high = right
    middle = (low + high) / 2
    return max(_log_of(counts, rate, min(rate + shift, 1.0)) for rate in (low, middle, high))
