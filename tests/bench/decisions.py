"""How often simulated runs are red or open: `python tests/bench/decisions.py [RUNS]`, 2,000 runs a cell unless said.

A run has 1,000 tests, of which 50 fail at random, 0.5 to 20 % of the time, on both kernels.
"""

from __future__ import annotations

import sys
from random import Random

from tests.support.whole_runs import flaky_rates, run_once

TESTS, BUDGET = 1000, 1000
STORED = (1, 3, 10, 30, 100)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{runs} runs a cell: {TESTS} tests, 50 of them flaky; at most {BUDGET} single runs for decisions")
    print("stored runs   false alarm   open     found: 5 % before, now always   single runs   share of both runs")
    for stored in STORED:
        quiet, spent, opened = 0, 0, 0
        chance = Random(stored)
        for _ in range(runs):
            rates = flaky_rates(chance)
            ended = run_once(chance, rates, rates, stored=stored, budget=BUDGET)
            quiet += bool(ended.regressed)
            opened += bool(ended.open)
            spent += ended.spent
        found = 0
        for _ in range(runs):
            rates = [*flaky_rates(chance), 0.05]
            ended = run_once(chance, rates, [*rates[:-1], 1.0], stored=stored, budget=BUDGET)
            found += len(rates) - 1 in ended.regressed
        print(
            f"{stored:11}   {quiet / runs:11.1%}   {opened / runs:4.1%}   {found / runs:31.1%}   {spent / runs:11.0f}"
            f"   {spent / runs / (2 * TESTS):18.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
