from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.interval import wilson


@pytest.mark.parametrize(
    ("bad", "runs", "low", "high"),
    [(0, 10, 0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (0, 0, 0, 1)],
)
def test_known_values(bad: int, runs: int, low: float, high: float) -> None:
    assert wilson(bad, runs) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_rate_that_was_seen_is_inside_and_the_ends_mirror_each_other(bad: int, passed: int) -> None:
    runs = bad + passed
    low, high = wilson(bad, runs)
    assert 0 <= low <= (bad / runs if runs else 0) <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(wilson(passed, runs))
