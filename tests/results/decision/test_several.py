from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.several import how_many, log_threshold

EVIDENCE = st.lists(st.floats(-20, 20), max_size=30)
ALPHA = 0.05


@given(EVIDENCE)
def test_the_largest_number_that_all_reach_their_threshold(evidence: list[float]) -> None:
    found = how_many(evidence, ALPHA)
    strongest = sorted(evidence, reverse=True)
    assert all(each >= log_threshold(len(evidence), found, ALPHA) for each in strongest[:found])
    for more in range(found + 1, len(evidence) + 1):
        assert strongest[more - 1] < log_threshold(len(evidence), more, ALPHA)


@given(EVIDENCE, st.integers(0, 29), st.floats(0, 10))
def test_more_evidence_never_means_fewer(evidence: list[float], which: int, more: float) -> None:
    stronger = [each + more if number == which else each for number, each in enumerate(evidence)]
    assert how_many(stronger, ALPHA) >= how_many(evidence, ALPHA)


def test_nothing_selected_is_nothing_regressed() -> None:
    assert how_many([], ALPHA) == 0


def test_of_tests_without_a_regression_any_is_called_one_in_alpha_of_the_runs_at_most() -> None:
    """With evidence as misleading as it may be: 10/alpha with a probability of alpha/10, else nothing, ten times a run."""
    chance, runs, tests = Random(3), 4000, 10
    strong = math.log(tests / ALPHA) + 1e-9
    red = 0
    for _ in range(runs):
        evidence = [strong if chance.random() < ALPHA / tests else -math.inf for _ in range(tests)]
        red += how_many(evidence, ALPHA) > 0
    assert 0 < red <= 1.2 * ALPHA * runs
