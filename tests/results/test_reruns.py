"""What counts as a bad rerun, from a store as the driver leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kdevops.errors import ExitCode
from kdevops.results.baseline import Baseline
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule
from kdevops.results.decision.stored import Against
from kdevops.results.entry import Entry, Table, updated
from kdevops.results.model import Counts, KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.reruns import (
    SIDE,
    TURN,
    Selected,
    Side,
    decided,
    decision_record,
    in_words,
    selected,
    spent,
    still_open,
    strays_of,
)
from kdevops.results.store import PlannedRow, Store
from kdevops.results.verdict import judge_run

S = Status
TEST = TestId("selftests", "default", "futex:run.sh")


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


PASSES, ALPHA, BETA = Outcome(S.PASS), failing("alpha"), failing("beta")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def run(
    store: Store, outcome: Outcome | None, record: dict[str, object] | None = None, decides: int | None = None
) -> int:
    number = store.create_run("lab", [PlannedRow(TEST, 30.0)], record or {}, decides=decides)  # type: ignore[arg-type]
    if outcome:
        store.ended(number, TEST, outcome)
    store.finish(number)
    return number


def after(store: Store, chosen: Selected, turns: Sequence[tuple[Outcome | None, Outcome | None]]) -> int:
    number = run(store, BETA)
    store.update_record(number, decision_record({TEST: chosen}, Rule(), of=1))
    for turn, pair in enumerate(turns, start=1):
        for side, outcome in zip(Side, pair, strict=True):
            run(store, outcome, {SIDE: side, TURN: turn}, number)
    return number


def counts(store: Store, number: int) -> tuple[tuple[int, int], tuple[int, int]]:
    each = decided(store, store.run(number))[TEST]
    return each.before, each.now


NEW_WAY = Selected(Against(3, 0), beside=True, least=S.FAIL, known=frozenset({"sub:alpha"}))
MORE_OFTEN = Selected(Against(7, 1), beside=True)
KASAN = KernelReport("KASAN", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo", gates=True, text="")
CRASH = Outcome(S.CRASH, oops=KASAN.title, reports=(KASAN,))
A_CRASH = Selected(Against(40, 0), beside=True, least=S.CRASH, untold=frozenset({S.FAIL}))
UNTOLD = Outcome(S.FAIL)


@pytest.mark.parametrize(
    ("chosen", "turns", "before", "now"),
    [
        (MORE_OFTEN, [(PASSES, ALPHA)] * 3, (0, 3), (3, 3)),
        (NEW_WAY, [(ALPHA, BETA)] * 3, (0, 3), (3, 3)),  # it fails on both, but in the new way on one of them
        (NEW_WAY, [(ALPHA, failing("alpha", "beta"))] * 2, (0, 2), (2, 2)),
        (NEW_WAY, [(PASSES, ALPHA)] * 3, (0, 3), (0, 3)),
        (NEW_WAY, [(BETA, BETA)], (1, 1), (1, 1)),
        (NEW_WAY, [(ALPHA, Outcome(S.HANG))], (0, 1), (1, 1)),
        # A crash was selected: the failures that both kernels have are none.
        (A_CRASH, [(UNTOLD, CRASH)] * 3, (0, 3), (3, 3)),
        (A_CRASH, [(UNTOLD, UNTOLD)] * 3, (0, 3), (0, 3)),
        (replace(A_CRASH, untold=frozenset()), [(ALPHA, BETA)], (0, 1), (0, 1)),
        (MORE_OFTEN, [(Outcome(S.SKIP), ALPHA), (None, ALPHA), (PASSES, None), (PASSES, ALPHA)], (0, 1), (1, 1)),
    ],
)
def test_what_counts(
    store: Store,
    chosen: Selected,
    turns: list[tuple[Outcome | None, Outcome | None]],
    before: tuple[int, int],
    now: tuple[int, int],
) -> None:
    assert counts(store, after(store, chosen, turns)) == (before, now)


def test_what_is_said(store: Store) -> None:
    each = decided(store, store.run(after(store, NEW_WAY, [(ALPHA, BETA)] * 3)))[TEST]
    assert each.decision is Decision.REGRESSED
    assert in_words(each) == (
        "regressed: failed again in 3 of 3 runs (44%-100%), with the baseline kernel in 0 of 3 runs (0%-56%)"
    )
    started = decided(store, store.run(after(store, NEW_WAY, [])))
    assert in_words(started[TEST]).endswith("; about 14 more runs on each kernel")
    assert still_open(started) == [TEST]


def test_what_was_spent_counts_both_kernels(store: Store) -> None:
    number = after(store, MORE_OFTEN, [(PASSES, ALPHA)] * 3)
    assert spent(store, store.run(number)) == 6


def known(*outcomes: Outcome) -> Entry:
    entry: Entry | None = None
    for outcome in outcomes:
        entry = updated(entry, TEST, [outcome], afresh=False)
    assert entry
    return entry


@pytest.mark.parametrize(
    ("entry", "now", "chosen"),
    [
        (None, ALPHA, Selected(Against(0, 0), least=S.FAIL)),
        (known(PASSES), ALPHA, Selected(Against(1, 0), least=S.FAIL)),
        (known(ALPHA), ALPHA, None),
        (known(ALPHA), BETA, Selected(Against(1, 0), least=S.FAIL, known=frozenset({"sub:alpha"}))),
        (known(PASSES), CRASH, Selected(Against(1, 0), least=S.CRASH)),
        (Entry(Counts({S.FAIL: 9})), CRASH, Selected(Against(9, 0), least=S.CRASH, untold=frozenset({S.FAIL}))),
        (known(ALPHA, *[PASSES] * 6), ALPHA, Selected(Against(7, 1))),
        (known(ALPHA, ALPHA, ALPHA, *[PASSES] * 3), ALPHA, None),
        (known(ALPHA), PASSES, None),
        (Entry(Counts({S.FAIL: 1}), expunged=True), BETA, None),
    ],
)
def test_what_is_selected(entry: Entry | None, now: Outcome, chosen: Selected | None) -> None:
    tables = {("selftests", "default"): Table("6.1", {TEST.name: entry})} if entry else {}
    baseline = Baseline("6.1", tables)
    if entry and entry.expunged:
        baseline = Baseline("6.1").with_expunges({TEST: "F:1/2"})
    found = selected(judge_run([TEST], {TEST: now}, baseline))
    assert found == ({TEST: chosen} if chosen else {})


def decision(store: Store, turns: Sequence[tuple[Outcome | None, Outcome | None]]) -> Decision:
    return decided(store, store.run(after(store, MORE_OFTEN, turns)))[TEST].decision


def test_results_that_are_lost_may_hide_failures(store: Store) -> None:
    assert decision(store, [(PASSES, PASSES)] * 20) is Decision.FLAKE
    for nothing in (Outcome(S.MISSING), Outcome(S.SKIP)):
        assert decision(store, [(PASSES, PASSES), (PASSES, nothing)] * 20) is Decision.OPEN


def test_what_the_kernel_reports_in_reruns_is_told_but_for_what_the_other_reports_too(store: Store) -> None:
    said = Outcome(S.PASS, reports=(KASAN,), guest="g0")
    found, beside = strays_of(store, store.run(after(store, MORE_OFTEN, [(PASSES, said)] * 2)))
    assert [(each["signature"], each["guest"], each["when"]) for each in found] == [
        (KASAN.signature, "g0", f"when a failure ran again: {TEST}")
    ]
    assert beside == frozenset()
    _, beside = strays_of(store, store.run(after(store, MORE_OFTEN, [(said, PASSES)])))
    assert beside == {KASAN.signature}


def test_a_crash_that_is_a_flake_does_not_excuse_its_report() -> None:
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: known(*[PASSES] * 20)})})
    for one, gates in ((Decision.FLAKE, True), (Decision.OPEN, True), (Decision.REGRESSED, False)):
        verdict = judge_run([TEST], {TEST: CRASH}, baseline, decisions={TEST: Decided(one, Pairs())})
        assert [each.gates for each in verdict.tests[0].complaints] == [gates]
        assert verdict.exit_code is ExitCode.REGRESSION
