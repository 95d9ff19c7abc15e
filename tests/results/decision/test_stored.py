from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.numbers import log_likelihood
from kdevops.results.decision.stored import Against, log_not_worse, log_worse

ALPHA = 0.05
STEPS = 12
RATES = [0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 0.97, 1.0]


def ever(stored: int, baseline: float, now: float, *, smallest: float | None) -> float:
    """The probability that the evidence reaches 1/alpha after any of STEPS runs, over all that may be stored."""
    total = 0.0
    for bad in range(stored + 1):
        chance = math.comb(stored, bad) * math.exp(log_likelihood(baseline, stored, bad))
        alive = {0: chance}
        for step in range(1, STEPS + 1):
            following: dict[int, float] = {}
            for bad_now, probability in alive.items():
                for fails, share in ((0, 1 - now), (1, now)):
                    following[bad_now + fails] = following.get(bad_now + fails, 0.0) + probability * share
            alive = {}
            for bad_now, probability in following.items():
                counts = Against(stored, bad, step, bad_now)
                evidence = log_worse(counts) if smallest is None else log_not_worse(counts, smallest)
                if evidence >= math.log(1 / ALPHA):
                    total += probability
                else:
                    alive[bad_now] = probability
    return total


@pytest.mark.parametrize("stored", [1, 3, 10])
@pytest.mark.parametrize(("baseline", "now"), [pair for pair in product(RATES, RATES) if pair[0] >= pair[1]])
def test_what_is_not_worse_is_hardly_ever_called_so_whenever_one_looks(
    stored: int, baseline: float, now: float
) -> None:
    assert ever(stored, baseline, now, smallest=None) <= ALPHA


@pytest.mark.parametrize("stored", [1, 10])
@pytest.mark.parametrize(
    ("baseline", "now"), [(0.0, 0.3), (0.1, 0.4), (0.3, 0.6), (0.5, 0.8), (0.02, 0.97), (0.0, 1.0)]
)
def test_what_is_worse_is_hardly_ever_called_a_flake(stored: int, baseline: float, now: float) -> None:
    assert ever(stored, baseline, now, smallest=0.25) <= ALPHA


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_evidence_is_the_least_over_all_rates_that_are_allowed(
    passed: int, bad: int, passed_now: int, bad_now: int
) -> None:
    """Against a likelihood found by trying many rates, evidence is never more."""
    counts = Against(passed + bad, bad, passed_now + bad_now, bad_now)
    steps = [step / 40 for step in range(41)]
    like = {
        (a, b): log_likelihood(a, passed + bad, bad) + log_likelihood(b, passed_now + bad_now, bad_now)
        for a in steps
        for b in steps
    }
    worse, not_worse = log_worse(counts), log_not_worse(counts, 0.25)
    greatest_of_all = max(like.values())
    assert worse <= greatest_of_all - max(v for (a, b), v in like.items() if b <= a) + 0.5
    assert not_worse <= greatest_of_all - max(v for (a, b), v in like.items() if b >= a + 0.25) + 0.5


@pytest.mark.parametrize(("stored", "needed"), [(3, 5), (7, 3), (30, 2), (100, 2)])
def test_more_passes_in_the_baseline_make_a_failure_count_for_more(stored: int, needed: int) -> None:
    assert log_worse(Against(stored, 0, needed, needed)) >= math.log(1 / ALPHA)


def test_a_baseline_of_one_run_says_little_however_often_one_looks() -> None:
    assert log_worse(Against(1, 0, 50, 50)) < math.log(1 / ALPHA)


def test_nothing_is_no_evidence() -> None:
    assert log_worse(Against()) == pytest.approx(0)
    assert log_not_worse(Against(), 0.25) == pytest.approx(0)
    assert log_not_worse(Against(5, 0, 5, 0), 0.0) == -math.inf
