from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decision, Rule, Tally, decide
from kdevops.results.decision.outlook import FAR, runs_to_go
from kdevops.results.decision.stored import Against

NUMBERS = st.integers(0, 40)


@given(st.builds(Pairs, NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.integers(1, 20))
def test_there_is_always_one_to_go_and_never_more_than_one_would_wait_for(pairs: Pairs, selected: int) -> None:
    found = runs_to_go(pairs, selected, Rule())
    assert found is None or 1 <= found <= FAR


@pytest.mark.parametrize(
    ("start", "step"),
    [(Pairs(), Pairs(neither=1)), (Pairs(only_now=1), Pairs(only_now=1)), (Pairs(neither=4), Pairs(neither=1))],
)
def test_a_test_that_goes_on_as_it_did_is_decided_by_then(start: Pairs, step: Pairs) -> None:
    to_go, now = runs_to_go(start, 1, Rule()), start
    assert to_go is not None
    for _ in range(to_go):
        assert decide({0: now}, Rule())[0] is Decision.OPEN
        now = Pairs(now.both, now.only_now + step.only_now, now.only_baseline, now.neither + step.neither)
    assert decide({0: now}, Rule())[0] is not Decision.OPEN


def test_with_little_stored_it_may_never_be_decided() -> None:
    assert runs_to_go(Against(1, 0, 10, 10), 1, Rule()) is None


def test_on_probation_a_test_is_decided_only_if_it_goes_on_as_a_flake() -> None:
    fails, passes, rule = Against(9, 0, 2, 2), Against(9, 0, 2, 0), Rule(probation=10)
    assert runs_to_go(fails, 1, Rule()) is not None
    assert runs_to_go(fails, 1, rule) is None
    assert runs_to_go(passes, 1, rule) == runs_to_go(passes, 1, Rule())
    assert runs_to_go(passes, 1, rule) is not None


@pytest.mark.parametrize("tally", [Against(), Against(30, 1), Against(30, 1, 4, 2)])
def test_what_is_stored_is_enough_to_guess(tally: Tally) -> None:
    runs_to_go(tally, 3, Rule())
