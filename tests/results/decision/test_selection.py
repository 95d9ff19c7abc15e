from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.selection import is_known, is_plainly_worse

NUMBERS = st.integers(0, 200)
NOW = st.integers(1, 20)


@pytest.mark.parametrize(
    ("bad_before", "runs_before", "bad_now", "runs_now", "known"),
    [
        (0, 0, 1, 1, False),
        (0, 100, 1, 1, False),
        (1, 1, 1, 1, True),  # it failed the one time it ran
        (1, 1, 7, 7, True),  # and does not fail more often now
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


@pytest.mark.parametrize(
    ("bad_before", "runs_before", "bad_now", "runs_now", "worse"),
    [
        (1, 7, 7, 7, True),
        (1, 7, 1, 1, False),
        (1, 7, 2, 7, False),
        (2, 11, 1, 1, False),
        (2, 11, 8, 10, True),
        (5, 100, 4, 4, True),
        (50, 100, 7, 7, True),
        (90, 100, 7, 7, False),
        (1, 1, 7, 7, False),
        (1, 7, 0, 7, False),
    ],
)
def test_what_is_worse_without_another_run(
    bad_before: int, runs_before: int, bad_now: int, runs_now: int, worse: bool
) -> None:
    assert is_plainly_worse(bad_before, runs_before, bad_now, runs_now) is worse


@given(NUMBERS, NUMBERS, NUMBERS, NOW, st.integers(0, 20))
def test_more_passes_before_never_make_it_less_plain(bad: int, passed: int, more: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if is_plainly_worse(bad, bad + passed, bad_now, runs):
        assert is_plainly_worse(bad, bad + passed + more, bad_now, runs)


@given(NUMBERS, NUMBERS, NOW, st.integers(0, 20))
def test_what_is_plainly_worse_is_not_in_line(bad: int, passed: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if is_plainly_worse(bad, bad + passed, bad_now, runs):
        assert not is_known(bad, bad + passed, bad_now, runs)


def test_any_number_of_repeats_can_be_judged() -> None:
    assert is_plainly_worse(1, 100, 231, 2000)
    assert not is_known(1, 100, 10_000, 10_000)
    assert is_known(50, 100, 5_000, 10_000)
