from __future__ import annotations

import math
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.beside import Pairs, log_not_worse, log_worse
from kdevops.results.decision.decide import Decision, Rule, decide

RATES = st.floats(0, 1)
NUMBERS = st.integers(0, 60)
PAIRS = st.builds(Pairs, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


def after(pairs: Pairs, baseline: float, now: float) -> list[tuple[float, Pairs]]:
    """What one more pair may bring, with the probability of each."""
    return [
        ((now if bad_now else 1 - now) * (baseline if bad else 1 - baseline), pairs.and_one(baseline=bad, now=bad_now))
        for bad in (False, True)
        for bad_now in (False, True)
    ]


@given(PAIRS, RATES, RATES)
def test_evidence_that_it_is_worse_is_not_expected_to_grow_when_it_is_not(
    pairs: Pairs, one: float, other: float
) -> None:
    """This is what makes it valid whenever one stops."""
    baseline, now = max(one, other), min(one, other)
    have = log_worse(pairs)
    expected = math.fsum(chance * math.exp(log_worse(more) - have) for chance, more in after(pairs, baseline, now))
    assert expected <= 1 + 1e-9


@given(PAIRS, RATES, RATES, st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9]))
def test_evidence_that_it_is_not_worse_is_not_expected_to_grow_when_it_is(
    pairs: Pairs, rate: float, more_than_that: float, smallest: float
) -> None:
    baseline = rate * (1 - smallest)
    now = baseline + smallest + more_than_that * (1 - smallest - baseline)
    have = log_not_worse(pairs, smallest)
    expected = math.fsum(
        chance * math.exp(log_not_worse(more, smallest) - have)
        for chance, more in after(pairs, baseline, min(now, 1.0))
    )
    assert expected <= 1 + 1e-9


def test_no_runs_are_no_evidence() -> None:
    assert log_worse(Pairs()) == pytest.approx(0)
    assert log_not_worse(Pairs(), 0.25) == pytest.approx(0)


@given(PAIRS)
def test_one_more_failure_now_is_evidence_for_it_and_one_more_pass_is_not(pairs: Pairs) -> None:
    worse, better = pairs.and_one(baseline=False, now=True), pairs.and_one(baseline=True, now=False)
    assert log_worse(worse) > log_worse(better)
    assert log_not_worse(worse, 0.25) < log_not_worse(pairs, 0.25) < log_not_worse(better, 0.25)


@pytest.mark.parametrize("smallest", [0.0, 1.0, -1.0, 2.0])
def test_a_difference_that_is_none_is_never_excluded(smallest: float) -> None:
    assert log_not_worse(Pairs(neither=1000), smallest) == -math.inf


@pytest.mark.parametrize(
    ("baseline", "now", "at_most"),
    [(0, 1, 4), (0, 0.5, 12), (0, 0.25, 25), (0.05, 1, 4)],
    ids=["always", "every-second", "every-fourth", "a-flake-that-broke"],
)
def test_how_many_runs_a_regression_takes(baseline: float, now: float, at_most: float) -> None:
    assert mean(_until(Decision.REGRESSED, baseline, now)) <= at_most


@pytest.mark.parametrize(("rate", "at_most"), [(0.0, 15), (0.02, 20), (0.05, 25)])
def test_how_many_runs_a_flake_takes(rate: float, at_most: float) -> None:
    assert mean(_until(Decision.FLAKE, rate, rate)) <= at_most


def _until(wanted: Decision, baseline: float, now: float, simulations: int = 200) -> list[int]:
    """Runs on each kernel until it is decided so; an end of the other kind fails where more than 5 % are of it."""
    chance, took, other = Random(20), [], 0
    for _ in range(simulations):
        pairs = Pairs()
        while (found := decide({0: pairs}, Rule())[0]) is Decision.OPEN:
            pairs = pairs.and_one(baseline=chance.random() < baseline, now=chance.random() < now)
        other += found is not wanted
        took.append(int(pairs.runs))
    assert other <= simulations * Rule().alpha
    return took
