"""Simulated runs: many tests, some flaky, one maybe broken for good; what the decision makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decision, Rule, decide
from kdevops.results.decision.selection import is_known


@dataclass(frozen=True, slots=True)
class Simulated:
    """What became of one run: tests selected, single runs spent on both kernels, and the tests by their decision."""

    selected: int
    spent: int
    regressed: frozenset[int]
    open: frozenset[int]


def flaky_rates(chance: Random, tests: int = 50) -> list[float]:
    """Failure rates of the flaky tests of a suite: 0.5 to 20 %."""
    return [chance.uniform(0.005, 0.2) for _ in range(tests)]


def run_once(
    chance: Random, before: Sequence[float], now: Sequence[float], *, stored: int, budget: int, rule: Rule | None = None
) -> Simulated:
    """A run of tests with these failure rates on the two kernels; `stored` is the number of runs in the baseline.

    The baseline kernel runs once beside it. `budget` is how many single runs the decision may spend.
    """
    rule = rule or Rule()
    tallies: dict[int, Pairs] = {}
    for test, (rate, rate_now) in enumerate(zip(before, now, strict=True)):
        known_bad = sum(chance.random() < rate for _ in range(stored + 1))
        if chance.random() < rate_now and not is_known(known_bad, stored + 1, 1, 1):
            tallies[test] = Pairs()
    selected, spent = len(tallies), 0
    decisions = dict.fromkeys(tallies, Decision.OPEN)
    while still := [test for test in tallies if decisions[test] is Decision.OPEN]:
        if spent + 2 * len(still) > budget:
            break
        spent += 2 * len(still)
        for test in still:
            baseline, under_test = chance.random() < before[test], chance.random() < now[test]
            tallies[test] = tallies[test].and_one(baseline=baseline, now=under_test)
        found = decide(tallies, rule)
        decisions = {test: found[test] if decisions[test] is Decision.OPEN else decisions[test] for test in tallies}
    return Simulated(
        selected,
        spent,
        frozenset(test for test, decision in decisions.items() if decision is Decision.REGRESSED),
        frozenset(still),
    )
