"""Evidence from runs on both kernels in turn.

Results come in pairs: one on the baseline kernel, one on the kernel under test. Both kinds of evidence are e-processes: where
their hypothesis holds, the probability that they *ever* exceed 1/alpha is at most alpha, however long one looks and for
whatever reason one stops. Both depend on counts alone, not on the order of the results.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import inf, log, log1p

from kdevops.results.decision.alternatives import ALTERNATIVES
from kdevops.results.decision.numbers import log_likelihood, log_sum

_BETS = {0.15: 0.08, 0.3: 0.12, 0.5: 0.15, 0.8: 0.25, 1.2: 0.40}
"""Share of the capital staked on each pair, in units of what can be lost with `smallest` 0.25, and the weight of each."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """How many pairs there were: `both` bad, `only_now` bad on the kernel under test, `only_baseline`, or `neither`.

    `lost`: the baseline kernel gave a result, and the kernel under test none, though the test was started there or skipped.
    """

    both: float = 0
    only_now: float = 0
    only_baseline: float = 0
    neither: float = 0
    lost: float = 0

    @property
    def runs(self) -> float:
        """The number of pairs, which is the number of runs on each kernel."""
        return self.both + self.only_now + self.only_baseline + self.neither

    @property
    def bad_now(self) -> float:
        """Number of bad results on the kernel under test."""
        return self.both + self.only_now

    @property
    def bad_baseline(self) -> float:
        """Number of bad results on the baseline kernel."""
        return self.both + self.only_baseline

    def and_one(self, *, baseline: bool, now: bool) -> Pairs:
        """These and one more pair; the arguments say whether each result is bad."""
        return Pairs(
            self.both + (baseline and now),
            self.only_now + (now and not baseline),
            self.only_baseline + (baseline and not now),
            self.neither + (not baseline and not now),
            self.lost,
        )

    def and_lost(self) -> Pairs:
        """These and one more of which the kernel under test gave no result."""
        return replace(self, lost=self.lost + 1)

    def scaled(self, factor: float) -> Pairs:
        """As many pairs of each kind, times a factor."""
        counts = (self.both, self.only_now, self.only_baseline, self.neither, self.lost)
        return Pairs(*(each * factor for each in counts))


@cache
def log_worse(pairs: Pairs) -> float:
    """Natural logarithm of the evidence against "the kernel under test fails no more often than the baseline kernel".

    For a pair and an alternative (a, b), the ratio of its probability under (a, b) to that under ((a+b)/2, (a+b)/2) has
    expectation at most 1 when both kernels have one rate (Turner, Ly, Grünwald: "Generic E-variables for exact sequential
    k-sample tests that allow for optional stopping", 2024), hence also when the kernel under test has the lower one: a > the
    middle lowers the factor of the baseline's result, and b that of the other.
    """
    return log_sum(
        each.log_weight
        + log_likelihood(each.baseline, pairs.runs, pairs.bad_baseline)
        + log_likelihood(each.now, pairs.runs, pairs.bad_now)
        - log_likelihood(each.middle, 2 * pairs.runs, pairs.bad_baseline + pairs.bad_now)
        for each in ALTERNATIVES
    )


@cache
def log_not_worse(pairs: Pairs, smallest: float) -> float:
    """Natural logarithm of the evidence against "the kernel under test fails more often by `smallest` (0 to 1) or more".

    Were it so, `baseline - now + smallest` would be at most 0 on average, a game that nobody wins in the long run; this is
    the capital, from 1, of one who bets on it (Waudby-Smith, Ramdas: "Estimating means of bounded random variables by
    betting", 2024). A result that is lost may hide a failure: it counts as one.
    """
    if not 0 < smallest < 1:
        return -inf
    limit = 1 / (1 - smallest)
    stakes = {min(stake * limit * 0.75, 0.95 * limit): weight for stake, weight in _BETS.items()}
    even = pairs.both + pairs.neither
    return log_sum(
        log(weight)
        + (pairs.only_now + pairs.lost) * log1p(stake * (smallest - 1))
        + pairs.only_baseline * log1p(stake * (smallest + 1))
        + even * log1p(stake * smallest)
        for stake, weight in stakes.items()
    )
