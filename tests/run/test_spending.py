"""What may be spent on deciding, and on which tests: numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.lab.verdict import Reruns
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.decision.stored import Against
from kdevops.results.model import TestId
from kdevops.run.spending import NO_ROOM, Room, Spending, in_short, is_hopeless, that_fit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def room(budget: Reruns, *, before: int, done: int, seconds: float) -> Room:
    clock = Clock()
    spending = Spending(budget, before, clock)
    clock.now += seconds
    return spending.room(before + done)


def open_test(tally: Tally, of: int = 1, probation: int = 0) -> Decided:
    rule = Rule(probation=probation)
    assert decide({0: tally}, rule, of=of)[0] is Decision.OPEN
    return Decided(Decision.OPEN, tally, of, rule)


@pytest.mark.parametrize("before", [0, 40])
@pytest.mark.parametrize(
    ("count", "limit", "done", "seconds", "expected"),
    [
        (1000, 1800, 0, 0, Room(1000, 0)),  # nobody knows yet how long one takes
        (1000, 1800, 0, 90, Room(1000, 0)),  # nor after a turn that gave nothing
        (1000, 1800, 2, 0, Room(998, 0)),
        (10, 1800, 0, 0, Room(10, 0)),
        (0, 1800, 0, 0, NO_ROOM),
        (1000, 0, 0, 0, NO_ROOM),
        (1000, 1800, 16, 32, Room(984, 884)),  # 1768 s left, at 2 s each
        (1000, 1800, 16, 720, Room(984, 24)),  # 1080 s left, at 45 s each
        (1000, 1800, 16, 1790, Room(984, 0)),  # 10 s left do not do for one
        (1000, 1800, 16, 1800, NO_ROOM),
        (1000, 1800, 16, 9000, NO_ROOM),
        (20, 1800, 16, 32, Room(4, 884)),
        (20, 1800, 20, 32, NO_ROOM),
        (1000, 60, 1, 20, Room(999, 2)),
    ],
)
def test_the_room_is_what_is_left_and_what_that_allows_at_the_pace_so_far(
    count: int, limit: float, done: int, seconds: float, expected: Room, before: int
) -> None:
    assert room(Reruns(count=count, time=limit), before=before, done=done, seconds=seconds) == expected


@given(st.integers(0, 500), st.integers(0, 600), st.integers(0, 500), st.integers(0, 100), st.integers(1, 600))
def test_there_is_never_more_room_than_the_budget_has(
    count: int, limit: int, done: int, before: int, seconds: int
) -> None:
    done = min(done, count)
    found = room(Reruns(count=count, time=limit), before=before, done=done, seconds=seconds)
    assert 0 <= found.by_number <= count - done
    if done and found.by_time:
        assert found.by_time * seconds / done <= limit - seconds + 1e-6


@pytest.mark.parametrize(
    ("each", "since", "hopeless"),
    [
        (open_test(Against()), 0, False),  # it was not tried
        (open_test(Against(0, 0, 2, 2)), 0, False),
        (open_test(Against(0, 0, 3, 3)), 0, True),  # nothing is stored
        (open_test(Against(0, 0, 3, 0)), 0, False),  # it may be a flake
        (open_test(Against(0, 0, 5, 5)), 3, False),  # every call gives it a fair chance
        (open_test(Against(0, 0, 6, 6)), 3, True),
        (open_test(Against(40, 4, 3, 3)), 0, False),
        (open_test(Against(6, 0, 3, 3), probation=7), 0, True),  # it may not accuse, and does not pass
        (open_test(Against(6, 0, 3, 3), of=700), 0, False),
        (open_test(Against(7, 0, 3, 1)), 0, False),  # so may this: one in three says little
        (open_test(Against(1, 0, 9, 8)), 0, True),
        (open_test(Against(40, 4, 3, 0), probation=8), 0, False),  # it may still turn out a flake
        (open_test(Against(40, 0, 0, 0, lost=2)), 0, False),
        (open_test(Against(40, 0, 0, 0, lost=3)), 0, True),  # no result, ever
        (open_test(Against(40, 0, 0, 0, lost=4)), 2, False),
        (open_test(Pairs(only_now=1, neither=2)), 0, False),
        (open_test(Pairs(lost=3)), 0, True),
    ],
)
def test_a_test_that_more_runs_are_unlikely_to_decide_is_given_up_after_a_fair_chance(
    each: Decided, since: int, hopeless: bool
) -> None:
    assert is_hopeless(each, since=since) is hopeless


def test_a_test_is_not_given_up_because_of_what_another_call_saw() -> None:
    lost = Decided(Decision.OPEN, Against(40, 0, 0, 0, lost=30))
    assert not is_hopeless(lost, since=lost.tries)


def ids(number: int) -> list[TestId]:
    return [TestId("commands", "default", f"t{each:02}") for each in range(number)]


SOON, LATER, LAST = Pairs(only_now=2), Pairs(only_now=1), Pairs(neither=1)
NEVER = Against(0, 0, 1, 1)
AMPLE = 10_000


def by_number(number: int) -> Room:
    return Room(number, AMPLE)


def test_those_decided_soonest_come_first() -> None:
    never, last, soon, later = ids(4)
    tests = {never: open_test(NEVER), last: open_test(LAST), soon: open_test(SOON), later: open_test(LATER)}
    to_go = {test: still_to_go(each) or 0 for test, each in tests.items()}
    assert 0 == to_go[never] < to_go[soon] < to_go[later] < to_go[last]
    both = dict.fromkeys(tests, 2)
    assert that_fit(tests, both, by_number(1)) == []
    assert that_fit(tests, both, by_number(2)) == [soon], "at least one, though it cannot be decided with that"
    needed = 2 * to_go[soon] + 2 * to_go[later]
    assert that_fit(tests, both, by_number(needed - 1))[0] == soon
    assert later not in that_fit(tests, both, by_number(needed - 1))
    assert that_fit(tests, both, by_number(needed)) == [soon, later]
    assert that_fit(tests, both, by_number(AMPLE)) == [soon, later, last, never]


def test_so_many_guests_run_abreast_in_the_time_of_one() -> None:
    tests = {test: open_test(LAST) for test in ids(6)}
    both = dict.fromkeys(tests, 2)
    for abreast in (1, 2, 4):
        assert that_fit(tests, both, Room(AMPLE, 0), abreast=abreast) == ids(abreast), "before the pace is known"
    each = 2 * (still_to_go(open_test(LAST)) or 0)
    assert that_fit(tests, both, Room(AMPLE, 3 * each), abreast=2) == ids(3)
    assert that_fit(tests, both, Room(AMPLE, 3 * each), abreast=4) == ids(4)
    assert that_fit(tests, both, Room(each, AMPLE), abreast=4) == ids(1), "results cost what they cost"


def test_what_does_not_fit_keeps_nobody_from_fitting() -> None:
    both_kernels, one = ids(2)
    tests = {both_kernels: open_test(SOON), one: open_test(LATER)}
    assert that_fit(tests, {both_kernels: 2, one: 1}, by_number(1)) == [one]


def test_of_those_that_take_as_long_the_first_by_name_comes_first() -> None:
    tests = ids(4)
    chosen = that_fit({test: open_test(SOON) for test in reversed(tests)}, dict.fromkeys(tests, 1), by_number(1000))
    assert chosen == tests


def test_one_kernel_needs_half_of_what_both_need() -> None:
    (test,) = ids(1)
    assert that_fit({test: open_test(SOON)}, {test: 1}, by_number(1)) == [test]
    assert that_fit({test: open_test(SOON)}, {test: 2}, by_number(1)) == []


def test_where_nothing_is_left_or_there_is_no_room_nothing_runs() -> None:
    assert that_fit({}, {}, by_number(100)) == []
    (test,) = ids(1)
    assert that_fit({test: open_test(SOON)}, {test: 1}, NO_ROOM, abreast=9) == []


FEW = st.integers(0, 4)
TALLIES = st.builds(Pairs, FEW, FEW, FEW, FEW) | st.builds(
    lambda stored, bad, now, bad_now: Against(stored, min(bad, stored), now, min(bad_now, now)),
    st.integers(0, 9),
    FEW,
    FEW,
    FEW,
)
OPEN = st.builds(lambda tally, of: Decided(Decision.OPEN, tally, of), TALLIES, st.sampled_from([1, 700]))
TESTS = st.lists(OPEN, max_size=6).map(lambda each: dict(zip(ids(len(each)), each, strict=True)))


@given(
    TESTS,
    st.lists(st.integers(1, 2), min_size=6, max_size=6),
    st.builds(Room, st.integers(0, 200), st.integers(0, 200)),
    st.integers(1, 8),
)
def test_a_turn_is_of_the_soonest_and_has_room(
    tests: Mapping[TestId, Decided], kernels: list[int], given_room: Room, abreast: int
) -> None:
    sides = dict(zip(tests, kernels, strict=False))
    chosen = that_fit(tests, sides, given_room, abreast=abreast)
    assert len(set(chosen)) == len(chosen)
    assert sum(sides[test] for test in chosen) <= given_room.by_number
    to_go = [still_to_go(tests[test]) or AMPLE for test in chosen]
    assert to_go == sorted(to_go)
    assert bool(chosen) == any(sides[test] <= given_room.by_number for test in tests)
    likely = [sides[test] * (still_to_go(tests[test]) or 3) for test in chosen]
    assert len(chosen) < 2 or sum(likely) <= given_room.by_number, "all but a first one can likely be decided"
    assert len(chosen) <= abreast or sum(likely) <= max(given_room.by_time, sum(likely[:abreast]))


@pytest.mark.parametrize(
    ("seconds", "count", "words"),
    [
        (1800.0, 1000, "30 min or 1000 results"),
        (1.0, 200, "1 s or 200 results"),
        (90.0, 1, "90 s or 1 result"),
        (60.0, 2, "1 min or 2 results"),
        (7200.0, 2, "120 min or 2 results"),
        (0.5, 2, "0.5 s or 2 results"),
        (999_999.0, 2, "999999 s or 2 results"),
    ],
)
def test_a_budget_for_a_person(seconds: float, count: int, words: str) -> None:
    assert in_short(Reruns(count=count, time=seconds)) == words
