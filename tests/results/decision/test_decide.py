from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide, family_sizes, is_hardly_known
from kdevops.results.decision.stored import Against
from tests.support.whole_runs import flaky_rates, run_once

NUMBERS = st.integers(0, 40)
PAIRS = st.builds(Pairs, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
AGAINST = st.builds(lambda a, b, c, d: Against(a + b, b, c + d, d), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
TALLIES = PAIRS | AGAINST


@pytest.mark.parametrize(
    ("tally", "decision"),
    [
        (Pairs(), Decision.OPEN),
        (Pairs(only_now=2), Decision.OPEN),
        (Pairs(only_now=4), Decision.REGRESSED),
        (Pairs(both=4), Decision.OPEN),
        (Pairs(both=40), Decision.FLAKE),
        (Pairs(neither=10), Decision.OPEN),
        (Pairs(neither=15), Decision.FLAKE),
        (Pairs(only_baseline=12), Decision.FLAKE),
        (Against(7, 1, 7, 7), Decision.REGRESSED),
        (Against(7, 1), Decision.OPEN),
        (Against(100, 5, 20, 1), Decision.OPEN),
        (Against(100, 5, 30, 1), Decision.FLAKE),
        (Against(0, 0, 40, 40), Decision.OPEN),
    ],
)
def test_one_test(tally: Tally, decision: Decision) -> None:
    assert decide({"generic/001": tally}, Rule())["generic/001"] is decision


@pytest.mark.parametrize(
    ("tally", "probation", "decision"),
    [
        (Against(7, 0, 7, 7), 7, Decision.REGRESSED),
        (Against(7, 0, 7, 7), 8, Decision.OPEN),
        (Against(7, 0, 1000, 1000), 8, Decision.OPEN),  # however often it fails
        (Against(0, 0, 40, 40), 1, Decision.OPEN),
        (Against(7, 1, 7, 7), 6, Decision.REGRESSED),  # failures do not count
        (Against(7, 1, 7, 7), 7, Decision.OPEN),
        # It may still prove a flake, if there are as many results as passes are needed; with fewer the test is as good as new.
        (Against(7, 1, 100, 1), 7, Decision.FLAKE),
        (Against(7, 1, 100, 1), 8, Decision.OPEN),
        (Against(0, 0, 100, 0), 1, Decision.OPEN),
        # Results of the baseline kernel itself need no probation.
        (Pairs(only_now=4), 1000, Decision.REGRESSED),
        (Pairs(neither=15), 1000, Decision.FLAKE),
    ],
)
def test_little_that_is_stored_accuses_nobody(tally: Tally, probation: int, decision: Decision) -> None:
    rule = Rule(probation=probation)
    assert decide({0: tally}, rule)[0] is decision
    on_probation = isinstance(tally, Against) and tally.passes < probation
    assert Decided(decision, tally, rule=rule).on_probation is on_probation


@given(st.lists(TALLIES, min_size=1, max_size=8), st.integers(0, 20))
def test_probation_only_ever_takes_accusations_back(tallies: list[Tally], probation: int) -> None:
    with_it = decide(dict(enumerate(tallies)), Rule(probation=probation))
    without = decide(dict(enumerate(tallies)), Rule())
    for number, tally in enumerate(tallies):
        on_probation = isinstance(tally, Against) and tally.passes < probation
        if on_probation:
            assert with_it[number] is not Decision.REGRESSED
        if with_it[number] is Decision.REGRESSED:
            assert without[number] is Decision.REGRESSED
        if without[number] is Decision.FLAKE:
            assert with_it[number] is (
                Decision.OPEN if is_hardly_known(tally, Rule(probation=probation)) else Decision.FLAKE
            )
        if without[number] is Decision.OPEN and not on_probation:
            assert with_it[number] is Decision.OPEN


def test_a_test_on_probation_still_counts_as_one_that_was_selected() -> None:
    strong, on_probation = Against(30, 0, 3, 3), Against(1, 0)
    assert decide({0: strong}, Rule(probation=5))[0] is Decision.REGRESSED
    assert decide(dict(enumerate([strong, *[on_probation] * 999])), Rule(probation=5))[0] is Decision.OPEN


def test_both_kinds_of_evidence_share_the_risk_and_neither_pays_for_the_number_of_the_other() -> None:
    pairs, counts = Pairs(only_now=5), Against(30, 0, 3, 3)
    assert decide({0: pairs, 1: Against(1, 0)}, Rule(), of=10_000)[0] is Decision.REGRESSED
    assert decide({0: counts, **dict.fromkeys(range(1, 900), Pairs())}, Rule())[0] is Decision.REGRESSED
    assert family_sizes([pairs] * 3, of=1000) == {Pairs: 3}
    assert family_sizes([counts] * 3, of=1000) == {Against: 1000}
    assert family_sizes([pairs, pairs, counts], of=1000) == {Pairs: 4, Against: 2000}
    assert family_sizes([], of=1000) == {}


@pytest.mark.parametrize(
    ("tally", "runs", "tries"),
    [(Pairs(), 0, 0), (Pairs(1, 2, 3, 4, 5), 10, 15), (Against(9, 1, 3, 2, 4), 3, 7), (Against(9, 1), 0, 0)],
)
def test_tries_count_what_gave_no_result_too(tally: Tally, runs: int, tries: int) -> None:
    each = Decided(Decision.OPEN, tally)
    assert (each.runs, each.tries) == (runs, tries)


@given(st.lists(TALLIES, min_size=1, max_size=8))
def test_every_selected_test_is_decided_or_open(tallies: list[Tally]) -> None:
    assert decide(dict(enumerate(tallies)), Rule()).keys() == set(range(len(tallies)))


@given(st.lists(TALLIES, min_size=1, max_size=6), st.data())
def test_what_is_decided_stays_so_while_others_run_on(tallies: list[Tally], data: st.DataObject) -> None:
    before = decide(dict(enumerate(tallies)), Rule())
    kinds = {number: PAIRS if isinstance(tally, Pairs) else AGAINST for number, tally in enumerate(tallies)}
    later = {
        number: data.draw(kinds[number]) if before[number] is Decision.OPEN else tally
        for number, tally in enumerate(tallies)
    }
    after = decide(later, Rule())
    for number, decision in before.items():
        if decision is not Decision.OPEN:
            assert after[number] is decision


def test_a_flake_does_not_turn_when_others_regress() -> None:
    close = Pairs(only_now=7, neither=58)
    alone = decide(dict(enumerate([close, *[Pairs()] * 4])), Rule())
    among = decide(dict(enumerate([close, *[Pairs(only_now=9)] * 4])), Rule())
    assert alone[0] in {Decision.OPEN, among[0]}


def test_stored_results_must_be_stronger_where_more_tests_have_some() -> None:
    tally = Against(30, 0, 2, 2)
    assert decide({0: tally}, Rule())[0] is Decision.REGRESSED
    assert decide({0: tally}, Rule(), of=10_000)[0] is Decision.OPEN


def test_a_run_in_which_nothing_regressed_is_hardly_ever_red() -> None:
    chance, runs = Random(5), 60
    red = open_still = 0
    for _ in range(runs):
        rates = flaky_rates(chance)
        ended = run_once(chance, rates, rates, stored=chance.choice([1, 10, 100]), budget=1000)
        red += bool(ended.regressed)
        open_still += bool(ended.open)
    assert red <= 0.05 * runs
    assert open_still <= 0.05 * runs


def test_a_test_that_always_fails_now_is_found_among_flaky_ones() -> None:
    chance, runs, found = Random(6), 60, 0
    for _ in range(runs):
        rates = [*flaky_rates(chance), 0.05]
        ended = run_once(chance, rates, [*rates[:-1], 1.0], stored=chance.choice([1, 10, 100]), budget=1000)
        found += len(rates) - 1 in ended.regressed
    assert found >= 0.95 * runs
