"""Simulated runs: many tests, some flaky, one maybe broken for good; what the decision makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from kdevops.lab.verdict import VerdictRules
from kdevops.results.baselines.entry import Entry
from kdevops.results.compare import Verdict, judge_beside
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide
from kdevops.results.decision.stored import Against
from kdevops.results.model import Counts, Status, TestId
from kdevops.run.spending import Room, is_hopeless, that_fit

TESTS = 1000
FACES = 2
"""What is decided of a test that fails in one way: whether that, and whether any failure, has become more frequent."""
_LAB = VerdictRules()
RULE = Rule(_LAB.alpha, _LAB.smallest, _LAB.probation)
"""What a lab has that says nothing of it."""


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
    chance: Random,
    before: Sequence[float],
    now: Sequence[float],
    *,
    stored: int,
    budget: int,
    rule: Rule = RULE,
    beside: bool = True,
) -> Simulated:
    """A run of TESTS tests, some with these failure rates on the two kernels; `stored` is the number of runs in the baseline.

    `beside`: the baseline kernel runs once beside it, and again in reruns; otherwise there are only the stored results.
    `budget` is how many single runs the decision may spend.
    """
    tallies: dict[int, Tally] = {}
    for test, (rate, rate_now) in enumerate(zip(before, now, strict=True)):
        known = _counts(chance, rate, stored)
        arm = _counts(chance, rate, 1) if beside else None
        if judge_beside(Entry(known), arm, _counts(chance, rate_now, 1)) is Verdict.INCONCLUSIVE:
            tallies[test] = Pairs() if beside else Against(known.ran, known.bad)
    of, spent, sides = FACES * (len(tallies) if beside else TESTS), 0, 2 if beside else 1
    decided = {test: Decided(Decision.OPEN, tally, of, rule) for test, tally in tallies.items()}
    while True:
        still = {_id(test): each for test, each in decided.items() if each.decision is Decision.OPEN}
        likely = {test: each for test, each in still.items() if not is_hopeless(each, since=0)}
        chosen = that_fit(likely, dict.fromkeys(likely, sides), Room(budget - spent, budget))
        if not chosen:
            break
        for test in (int(each.name) for each in chosen):
            spent += sides
            tally, bad = tallies[test], chance.random() < now[test]
            if isinstance(tally, Pairs):
                tallies[test] = tally.and_one(baseline=chance.random() < before[test], now=bad)
            else:
                tallies[test] = tally.and_one(now=bad)
        faces = {(test, face): tally for test, tally in tallies.items() for face in range(FACES)}
        found = {test: each for (test, _), each in decide(faces, rule, of=of).items()}
        decided = {test: Decided(found[test], tallies[test], of, rule) for test in tallies}
    return Simulated(
        len(tallies),
        spent,
        frozenset(test for test, each in decided.items() if each.decision is Decision.REGRESSED),
        frozenset(test for test, each in decided.items() if each.decision is Decision.OPEN),
    )


def _id(test: int) -> TestId:
    return TestId("suite", "default", f"{test:04}")


def _counts(chance: Random, rate: float, runs: int) -> Counts:
    bad = sum(chance.random() < rate for _ in range(runs))
    return Counts({status: number for status, number in ((Status.PASS, runs - bad), (Status.FAIL, bad)) if number})
