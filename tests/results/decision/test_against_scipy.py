"""Our interval and our choice of failures, compared with those of another library. kdevops itself does without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdevops.results.decision.interval import wilson
from kdevops.results.decision.selection import CLEAR, UNLIKELY, _at_least, is_chance, is_known

RUNS = st.integers(1, 3000)
FEW = st.integers(1, 40)
SHARES = st.floats(0, 1)


def some(share: float, runs: int) -> int:
    """A number of bad results, also as few and as many as there can be."""
    return round(share * runs)


def interval(bad: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    found = stats.binomtest(bad, runs).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def tail(bad: int, runs: int, rate: float) -> float:
    return float(stats.binom.sf(bad - 1, runs, rate))


@given(RUNS, SHARES)
def test_the_interval(runs: int, share: float) -> None:
    bad = some(share, runs)
    assert wilson(bad, runs) == pytest.approx(interval(bad, runs), rel=1e-9, abs=1e-12)


@given(RUNS, SHARES, st.floats(0.5, 0.9999))
def test_the_interval_at_any_confidence(runs: int, share: float, confidence: float) -> None:
    bad, z = some(share, runs), float(stats.norm.ppf((1 + confidence) / 2))
    assert wilson(bad, runs, z) == pytest.approx(interval(bad, runs, confidence), rel=1e-9, abs=1e-12)


@given(RUNS, SHARES, SHARES)
def test_the_probability_of_so_many_bad_results_or_more(runs: int, share: float, rate: float) -> None:
    bad = some(share, runs)
    assert _at_least(bad, runs, rate) == pytest.approx(tail(bad, runs, rate), rel=1e-8, abs=1e-30)


@given(RUNS, SHARES, FEW, SHARES.filter(bool))
def test_what_is_in_line_with_the_rate_before(before: int, share_before: float, now: int, share: float) -> None:
    bad_before, bad = max(some(share_before, before), 1), max(some(share, now), 1)
    likely = tail(bad, now, interval(bad_before, before)[0])
    if abs(likely - UNLIKELY) > 1e-9:
        no_more_often = bad * before <= bad_before * now
        assert is_known(bad_before, before, bad, now) is (no_more_often or likely > UNLIKELY)


@given(RUNS, SHARES, FEW, SHARES)
def test_what_may_be_chance(before: int, share_before: float, now: int, share: float) -> None:
    bad_before, bad = min(some(share_before, before), before - 1), some(share, now)
    likely = tail(bad, now, interval(bad_before, before)[1])
    if abs(likely - CLEAR) > 1e-9:
        assert is_chance(bad_before, before, bad, now) is (likely > CLEAR)
