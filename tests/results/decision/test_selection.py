from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.selection import is_chance, is_known

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
    ("bad_before", "runs_before", "bad_now", "runs_now", "chance"),
    [
        (0, 0, 1, 1, False),  # nothing is contradicted
        (1, 1, 1, 1, False),
        (9, 9, 7, 7, False),
        (0, 1, 1, 1, True),  # it passed once: that says little of how often it does
        (0, 9, 1, 1, True),
        (0, 9, 2, 2, True),
        (0, 9, 3, 3, False),
        (0, 100, 1, 1, False),
        (0, 100, 1, 7, True),
        (0, 100, 2, 7, False),
        (1, 7, 1, 1, True),
        (1, 7, 2, 7, True),
        (1, 7, 7, 7, False),
        (2, 11, 1, 1, True),
        (2, 11, 8, 10, False),
        (5, 100, 1, 1, True),
        (5, 100, 4, 4, False),
        (50, 100, 7, 7, False),
        (90, 100, 7, 7, True),
        (1, 7, 0, 7, True),
    ],
)
def test_what_may_be_chance(bad_before: int, runs_before: int, bad_now: int, runs_now: int, chance: bool) -> None:
    assert is_chance(bad_before, runs_before, bad_now, runs_now) is chance


@given(NUMBERS, NUMBERS, NOW, st.integers(0, 20))
def test_more_failures_are_never_more_like_chance(bad: int, passed: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if bad_now < runs and not is_chance(bad, bad + passed, bad_now, runs):
        assert not is_chance(bad, bad + passed, bad_now + 1, runs)


@given(NUMBERS, NUMBERS.filter(bool), NUMBERS, NOW, st.integers(0, 20))
def test_a_failure_is_never_more_like_chance_the_more_often_the_test_passed(
    bad: int, passed: int, more: int, runs: int, bad_now: int
) -> None:
    bad_now = min(bad_now, runs)
    if not is_chance(bad, bad + passed, bad_now, runs):
        assert not is_chance(bad, bad + passed + more, bad_now, runs)


@given(NUMBERS, NOW, st.integers(0, 20))
def test_nothing_is_chance_where_no_pass_is_contradicted(bad: int, runs: int, bad_now: int) -> None:
    assert not is_chance(bad, bad, min(bad_now, runs), runs)


@given(NUMBERS, NUMBERS.filter(bool), NOW)
def test_what_is_as_often_bad_as_before_may_be_chance(bad: int, passed: int, runs: int) -> None:
    assert is_chance(bad, bad + passed, 0, runs)
    assert is_chance(bad, bad + passed, bad, bad + passed)


@given(NUMBERS, NUMBERS.filter(bool), NOW, st.integers(1, 20))
def test_what_can_hardly_be_chance_is_not_in_line(bad: int, passed: int, runs: int, bad_now: int) -> None:
    bad_now = min(bad_now, runs)
    if not is_chance(bad, bad + passed, bad_now, runs):
        assert not is_known(bad, bad + passed, bad_now, runs)


def test_any_number_of_repeats_can_be_judged() -> None:
    assert not is_chance(1, 100, 231, 2000)
    assert is_chance(1, 100, 50, 2000)
    assert not is_known(1, 100, 10_000, 10_000)
    assert is_known(50, 100, 5_000, 10_000)
