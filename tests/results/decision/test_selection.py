from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.selection import is_known

NUMBERS = st.integers(0, 200)
NOW = st.integers(1, 20)


@pytest.mark.parametrize(
    ("bad_before", "runs_before", "bad_now", "runs_now", "known"),
    [
        (0, 0, 1, 1, False),
        (0, 100, 1, 1, False),
        (1, 1, 1, 1, True),  # it failed the one time it ran
        (1, 7, 7, 7, False),  # one old flake excuses no seven failures
        (1, 7, 1, 7, True),
        (5, 100, 1, 1, False),  # known at 5 %, and maybe broken for good now
        (20, 100, 1, 1, True),
        (100, 100, 7, 7, True),
        (50, 100, 7, 7, False),
        (50, 100, 5, 7, True),
        (3, 10, 0, 7, True),
    ],
)
def test_examples(bad_before: int, runs_before: int, bad_now: int, runs_now: int, known: bool) -> None:
    assert is_known(bad_before, runs_before, bad_now, runs_now) is known


@given(NUMBERS, NUMBERS, NUMBERS, NOW, st.integers(0, 20))
def test_more_passes_before_never_excuse_a_failure(bad: int, passed: int, more: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if not is_known(bad, bad + passed, bad_now, runs):
        assert not is_known(bad, bad + passed + more, bad_now, runs)


@given(NUMBERS, NUMBERS, NOW, st.integers(0, 20))
def test_more_failures_now_are_never_more_in_line(bad: int, passed: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if bad_now < runs and not is_known(bad, bad + passed, bad_now, runs):
        assert not is_known(bad, bad + passed, bad_now + 1, runs)
