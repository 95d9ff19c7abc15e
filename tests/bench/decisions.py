"""How often simulated runs are red or open: `python -m tests.bench.decisions [RUNS]`, 2,000 runs a cell unless said.

A run has 1,000 tests, of which 50 fail at random, 0.5 to 20 % of the time, on both kernels.
"""

from __future__ import annotations

import sys
from random import Random

from kdevops.lab.verdict import Reruns
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decision, Rule, decide
from tests.support.whole_runs import TESTS, flaky_rates, run_once

BUDGET = Reruns().count
STORED = (1, 3, 10, 30, 100)
_LINE = "{:>11}  {:>11}  {:>5}  {:>28}  {:>9}  {:>11}  {:>16}"
_HEAD = _LINE.format(
    "stored runs", "false alarm", "open", "found: 5 % before, now always", "not seen", "single runs", "share of the run"
)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{runs} runs a cell: {TESTS} tests, 50 of them flaky; at most {BUDGET} single runs for decisions")
    for beside in (True, False):
        print(
            "\nboth kernels run, and run again" if beside else "\nonly the kernel under test runs; the rest is stored"
        )
        print(_HEAD)
        for stored in STORED:
            row(runs, stored, beside=beside)
    print(
        f"\n{runs} comparisons of two kernels, 20 runs each, a test that fails 5 % of the time on both: called worse by"
    )
    rules = {"it failed, and never on the other": once, "5 percentage points more": points, "our evidence": evidence}
    for words, rule in rules.items():
        chance = Random(20)
        alarms = sum(rule([(chance.random() < 0.05, chance.random() < 0.05) for _ in range(20)]) for _ in range(runs))
        print(f"{words:33}   {alarms / runs:6.1%}", flush=True)


def row(runs: int, stored: int, *, beside: bool) -> None:
    """Simulate and print one line of the table: runs in which nothing regressed, and runs in which one test did."""
    red, spent, opened, chance = 0, 0, 0, Random(stored)
    for _ in range(runs):
        rates = flaky_rates(chance)
        ended = run_once(chance, rates, rates, stored=stored, budget=BUDGET, beside=beside)
        red += bool(ended.regressed)
        opened += bool(ended.open)
        spent += ended.spent
    found, green = 0, 0
    for _ in range(runs):
        rates = [*flaky_rates(chance), 0.05]
        ended = run_once(chance, rates, [*rates[:-1], 1.0], stored=stored, budget=BUDGET, beside=beside)
        broken = len(rates) - 1
        found += broken in ended.regressed
        green += broken not in ended.regressed | ended.open
    cells = (f"{part / runs:.1%}" for part in (red, opened, found, green))
    share = spent / runs / ((2 if beside else 1) * TESTS)
    print(_LINE.format(stored, *cells, f"{spent / runs:.0f}", f"{share:.1%}"), flush=True)


Results = list[tuple[bool, bool]]
"""Pairs of results, of the baseline kernel and of the kernel under test; true is bad."""


def once(results: Results) -> bool:
    return any(now for _, now in results) and not any(before for before, _ in results)


def points(results: Results) -> bool:
    return sum(now for _, now in results) - sum(before for before, _ in results) >= 0.05 * len(results)


def evidence(results: Results) -> bool:
    """Whether it is enough after any of the pairs: one looks after each."""
    pairs = Pairs()
    for before, now in results:
        pairs = pairs.and_one(baseline=before, now=now)
        if decide({0: pairs}, Rule())[0] is Decision.REGRESSED:
            return True
    return False


if __name__ == "__main__":
    main()
