"""Nothing that became more frequent hides behind the failure for which a test was selected."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.decision.decide import Decided, Decision, Rule
from kdevops.results.faces import selected
from kdevops.results.model import Counts, Outcome, Status, Subtest, TestId
from kdevops.results.reruns import SIDE, TURN, Side, decided, decision_record, in_words
from kdevops.results.store import PlannedRow, Store
from kdevops.results.verdict import Arm, judge_run
from tests.results.test_faces import ARM

S = Status
TEST = TestId("selftests", "default", "futex:run.sh")
PASSES, HANGS, CRASHES = Outcome(S.PASS), Outcome(S.HANG), Outcome(S.CRASH)


def failing(name: str) -> Outcome:
    return Outcome(S.FAIL, subtests=(Subtest(name, S.FAIL),))


ALPHA, BETA, GAMMA = map(failing, ("alpha", "beta", "gamma"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def decision(
    store: Store,
    known: Entry,
    first: Outcome,
    again: Iterator[tuple[Outcome | None, Outcome]],
    arm: Outcome | None = None,
) -> Decided:
    """After 40 reruns, each with the results of both kernels, or until it is decided."""

    def stored(outcome: Outcome, record: dict[str, object], decides: int | None = None) -> int:
        number = store.create_run("lab", [PlannedRow(TEST, 30.0)], record, decides=decides)  # type: ignore[arg-type]
        store.ended(number, TEST, outcome)
        store.finish(number)
        return number

    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: known})})
    verdict = judge_run([TEST], {TEST: first}, baseline, arm=Arm(ARM, {TEST: arm}) if arm else None)
    chosen = selected(verdict, beside=arm is not None)
    run = stored(first, {})
    store.update_record(run, decision_record(chosen, Rule(probation=5), of=1))
    for turn in range(1, 41):
        for side, outcome in zip(Side, next(again), strict=True):
            if outcome:
                stored(outcome, {SIDE: side, TURN: turn}, run)
        found = decided(store, store.run(run))[TEST]
        if found.decision is not Decision.OPEN:
            break
    return found


def entry(passes: int = 0, fails: int = 0, hangs: int = 0, **ways: int) -> Entry:
    counts = {S.PASS: passes, S.FAIL: fails, S.HANG: hangs}
    seen = {f"sub:{name}": Seen(times) for name, times in ways.items()} | ({"hang": Seen(hangs)} if hangs else {})
    return Entry(Counts({status: number for status, number in counts.items() if number}), symptoms=seen)


ALWAYS_GAMMA = entry(fails=100, gamma=99, beta=1)


@pytest.mark.parametrize(
    ("known", "first", "now"),
    [
        (ALWAYS_GAMMA, BETA, [ALPHA]),
        (ALWAYS_GAMMA, BETA, [failing(f"alpha {number}") for number in range(40)]),
        (ALWAYS_GAMMA, BETA, [HANGS]),
        (ALWAYS_GAMMA, BETA, [CRASHES]),
        (ALWAYS_GAMMA, HANGS, [ALPHA]),
        (ALWAYS_GAMMA, ALPHA, [BETA]),
        (entry(passes=99, hangs=1), ALPHA, [HANGS]),
        (entry(fails=100, gamma=70, beta=30), ALPHA, [BETA]),
        (entry(fails=100, gamma=60, beta=40), HANGS, [GAMMA, BETA, BETA, BETA, BETA, BETA, BETA]),
    ],
)
def test_what_goes_bad_in_other_ways_than_before_is_no_flake(
    store: Store, known: Entry, first: Outcome, now: list[Outcome]
) -> None:
    again = ((None, now[number % len(now)]) for number in count())
    assert decision(store, known, first, again).decision is not Decision.FLAKE


@pytest.mark.parametrize("first", [BETA, ALPHA, HANGS])
def test_beside_the_baseline_kernel_a_change_of_ways_is_a_regression(store: Store, first: Outcome) -> None:
    again = ((GAMMA, ALPHA) for _ in count())
    found = decision(store, ALWAYS_GAMMA, first, again, arm=GAMMA)
    assert found.decision is Decision.REGRESSED
    assert found.runs <= 10


@pytest.mark.parametrize(
    ("known", "first", "now"),
    [
        (entry(passes=100), ALPHA, [PASSES]),
        (entry(passes=90, fails=10, alpha=10), BETA, [PASSES]),
        (entry(passes=90, hangs=10), ALPHA, [*[PASSES] * 9, HANGS]),
        (ALWAYS_GAMMA, BETA, [GAMMA]),
        (entry(fails=100, gamma=95, beta=5), ALPHA, [GAMMA]),
    ],
)
def test_what_goes_on_as_before_is_a_flake(store: Store, known: Entry, first: Outcome, now: list[Outcome]) -> None:
    again = ((None, now[number % len(now)]) for number in count())
    found = decision(store, known, first, again)
    assert found.decision is Decision.FLAKE, in_words(found)
    assert found.runs <= 40


def test_of_a_test_that_is_as_good_as_new_nothing_is_green(store: Store) -> None:
    found = decision(store, entry(passes=3), ALPHA, ((None, PASSES) for _ in count()))
    assert found.decision is Decision.OPEN
    assert "on probation: it takes 5 passes" in in_words(found)


def test_words_are_about_what_is_open(store: Store) -> None:
    known = entry(passes=200, fails=20, gamma=20)
    found = decision(store, known, BETA, ((None, failing(f"x{n}") if n % 3 == 0 else PASSES) for n in count()))
    assert found.decision is Decision.OPEN
    assert "0 of 0" not in in_words(found)
    assert "probation" not in in_words(found)
