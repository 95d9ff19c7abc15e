"""What counts as a bad rerun, from a store as the driver leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.results.allowed_reports import AllowedReport, AllowedReports
from kdevops.results.baseline import Baseline
from kdevops.results.compare import Verdict
from kdevops.results.complaints import strays
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule
from kdevops.results.decision.stored import Against
from kdevops.results.entry import Entry, Table, updated
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.reruns import (
    CUT_SHORT,
    DECISION,
    SIDE,
    TURN,
    Face,
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
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.results.verdict import Arm, judge_run
from tests.support.decided import REGRESSED

S = Status
ARM = Run(1, "ab", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", "2026-11-21T08:10:00+00:00", {})
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
DIED_SOMEHOW = Outcome(S.CRASH, oops="an old text")
"""As older versions stored it: a crash that the kernel reported, without its reports."""
SOME_CRASH = Selected(Against(9, 0), beside=True, least=S.CRASH)
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
        # Whatever crashes count where nobody could say how it crashed, and no failures.
        (SOME_CRASH, [(ALPHA, CRASH), (PASSES, DIED_SOMEHOW), (UNTOLD, BETA)], (0, 3), (2, 3)),
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


def test_a_test_that_now_always_fails_in_a_milder_known_way_is_no_flake(store: Store) -> None:
    rare_fail = replace(SOME_CRASH, before=Against(20, 0), known=frozenset({"sub:alpha"}), any_before=Against(20, 1))
    each = decided(store, store.run(after(store, rare_fail, [(PASSES, ALPHA)] * 14)))[TEST]
    assert (each.decision, each.now) == (Decision.REGRESSED, (14, 14))
    each = decided(store, store.run(after(store, rare_fail, [(ALPHA, ALPHA)] * 20)))[TEST]
    assert each.decision is Decision.FLAKE, "it does that on both"
    stored = replace(rare_fail, beside=False)
    each = decided(store, store.run(after(store, stored, [(None, ALPHA)] * 14)))[TEST]
    assert (each.decision, each.before) == (Decision.REGRESSED, (1, 20))


def test_what_a_killed_rerun_did_not_run_is_not_lost(store: Store) -> None:
    number = after(store, MORE_OFTEN, [(PASSES, ALPHA)])
    run(store, PASSES, {SIDE: Side.BASELINE, TURN: 2}, number)
    run(store, None, {SIDE: Side.NOW, TURN: 2, CUT_SHORT: True}, number)
    each = decided(store, store.run(number))[TEST]
    assert (each.runs, each.tries) == (1, 1)
    run(store, ALPHA, {SIDE: Side.BASELINE, TURN: 3}, number)
    run(store, ALPHA, {SIDE: Side.NOW, TURN: 3, CUT_SHORT: True}, number)
    each = decided(store, store.run(number))[TEST]
    assert (each.before, each.now) == ((1, 2), (2, 2)), "what it did run counts"
    run(store, PASSES, {SIDE: Side.BASELINE, TURN: 4}, number)
    run(store, None, {SIDE: Side.NOW, TURN: 4}, number)
    assert decided(store, store.run(number))[TEST].tries == 3, "it was started, and gave nothing"


def test_what_was_spent_counts_both_kernels(store: Store) -> None:
    number = after(store, MORE_OFTEN, [(PASSES, ALPHA)] * 3)
    assert spent(store, store.run(number)) == 6


def known(*outcomes: Outcome, test: TestId = TEST) -> Entry:
    entry: Entry | None = None
    for outcome in outcomes:
        entry = updated(entry, test, [outcome], afresh=False)
    assert entry
    return entry


@pytest.mark.parametrize(
    ("entry", "now", "chosen"),
    [
        (None, ALPHA, Selected(Against(0, 0))),
        (known(PASSES), ALPHA, Selected(Against(1, 0))),
        (known(ALPHA), ALPHA, None),
        (
            known(ALPHA),
            BETA,
            Selected(Against(1, 0), least=S.FAIL, known=frozenset({"sub:alpha"}), any_before=Against(1, 1)),
        ),
        (known(PASSES), CRASH, Selected(Against(1, 0))),  # were it only to fail from now on, that would be worse too
        (
            Entry(Counts({S.FAIL: 9})),
            CRASH,
            Selected(Against(9, 0), least=S.CRASH, untold=frozenset({S.FAIL}), any_before=Against(9, 9)),
        ),
        (known(ALPHA, *[PASSES] * 6), ALPHA, Selected(Against(7, 1))),
        (known(ALPHA, ALPHA, ALPHA, *[PASSES] * 3), ALPHA, None),
        # A crash of which nobody can say how, where there were none, is one in a way of which nothing is known.
        (None, DIED_SOMEHOW, Selected(Against(0, 0))),
        (known(*[PASSES] * 9), DIED_SOMEHOW, Selected(Against(9, 0))),
        (known(ALPHA, *[PASSES] * 9), DIED_SOMEHOW, Selected(Against(10, 0), least=S.CRASH, any_before=Against(10, 1))),
        (Entry(Counts({S.FAIL: 9})), DIED_SOMEHOW, Selected(Against(9, 0), least=S.CRASH, any_before=Against(9, 9))),
        # A way that is known, and was rare.
        (
            known(*[BETA] * 29, failing("alpha", "beta")),
            ALPHA,
            Selected(Against(30, 1), least=S.FAIL, known=frozenset({"sub:beta"}), any_before=Against(30, 30)),
        ),
        # Where there were some, it is one of them, and may only come more often.
        (Entry(Counts({S.PASS: 6, S.CRASH: 1})), DIED_SOMEHOW, Selected(Against(7, 1))),
        (known(CRASH, *[PASSES] * 6), DIED_SOMEHOW, Selected(Against(7, 1))),
        (Entry(Counts({S.CRASH: 1})), DIED_SOMEHOW, None),
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


ANY = st.sampled_from(
    [
        PASSES,
        ALPHA,
        BETA,
        UNTOLD,
        CRASH,
        DIED_SOMEHOW,
        Outcome(S.HANG),
        Outcome(S.SKIP),
        Outcome(S.MISSING),
        Outcome(S.CRASH),
    ]
)
TESTS = [TestId("fstests", "xfs_crc", name) for name in ("generic/001", "generic/002")]
PLANNED = [*TESTS, TESTS[0].repeat(2)]


@given(
    st.tuples(ANY, ANY, ANY),
    st.tuples(*[st.lists(ANY, max_size=8)] * 2),
    st.none() | st.tuples(ANY, ANY, ANY),
    st.booleans(),
    st.booleans(),
)
def test_what_is_not_decided_is_selected_and_nothing_else(
    now: tuple[Outcome, ...],
    before: tuple[list[Outcome], ...],
    beside: tuple[Outcome, ...] | None,
    on_both: bool,
    expunged: bool,
) -> None:
    entries = {test.name: known(*ends, test=test) for test, ends in zip(TESTS, before, strict=True) if ends}
    baseline = Baseline("6.1", {("fstests", "xfs_crc"): Table("6.1", entries)})
    if expunged:
        baseline = baseline.with_expunges({TESTS[1]: "F:1/2"})
    arm = Arm(ARM, dict(zip(PLANNED, beside, strict=True))) if beside else None
    verdict = judge_run(PLANNED, dict(zip(PLANNED, now, strict=True)), baseline, arm=arm)
    found = selected(verdict, beside=on_both)
    assert set(found) == {each.test.plain for each in verdict.tests if each.verdict is Verdict.INCONCLUSIVE}
    assert all(each.beside == (on_both and arm is not None) for each in found.values())
    for test, chosen in found.items():  # each of them can be seen again, were it only to end as it did
        ends = [end for each, end in zip(PLANNED, now, strict=True) if each.plain == test]
        assert any(chosen.counts(Face.SELECTED, test, end) for end in ends)


def test_what_is_decided_is_selected_no_more() -> None:
    outcomes = dict.fromkeys(TESTS, ALPHA)
    verdict = judge_run(TESTS, outcomes, Baseline("6.1"), decisions={TESTS[0]: REGRESSED})
    assert set(selected(verdict)) == {TESTS[1]}
    assert set(selected(judge_run(TESTS, outcomes, Baseline("6.1")))) == set(TESTS)


def test_what_the_baseline_kernel_fails_by_chance_is_selected_and_runs_on_both() -> None:
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: known(*[PASSES] * 9)})})
    verdict = judge_run([TEST], {TEST: ALPHA}, baseline, arm=Arm(ARM, {TEST: ALPHA}))
    assert selected(verdict) == {TEST: Selected(Against(10, 1), beside=True)}
    assert selected(verdict, beside=False) == {TEST: Selected(Against(10, 1))}


def test_the_rule_is_that_of_the_record_and_older_ones_have_no_probation(store: Store) -> None:
    chosen = {TEST: Selected(Against(3, 0), least=S.FAIL)}
    for record, probation, ends in (
        (decision_record(chosen, Rule(probation=4), of=1), 4, Decision.OPEN),
        (decision_record(chosen, Rule(probation=3), of=1), 3, Decision.REGRESSED),
        (without_probation(decision_record(chosen, Rule(probation=4), of=1)), 0, Decision.REGRESSED),
    ):
        number = run(store, BETA)
        store.update_record(number, record)
        for turn in range(1, 9):
            run(store, BETA, {SIDE: Side.NOW, TURN: turn}, number)
        each = decided(store, store.run(number))[TEST]
        assert (each.rule, each.decision) == (Rule(probation=probation), ends)
        assert each.on_probation == (ends is Decision.OPEN)


def without_probation(record: dict[str, JSON]) -> dict[str, JSON]:
    rule = record[DECISION]
    assert isinstance(rule, dict)
    return {DECISION: {name: value for name, value in rule.items() if name != "probation"}}


def test_probation_is_told() -> None:
    each = Decided(Decision.OPEN, Against(3, 0, 8, 8), rule=Rule(probation=5))
    assert in_words(each) == (
        "open: failed again in 8 of 8 runs (68%-100%), in the baseline in 0 of 3 runs (0%-56%); on probation: it takes 5 passes "
        "in the baseline to accuse a kernel; more runs are unlikely to tell"
    )
    for other in (Against(5, 0, 1, 1), Pairs(only_now=1)):
        assert "probation" not in in_words(Decided(Decision.OPEN, other, rule=Rule(probation=5)))
    assert "probation" not in in_words(Decided(Decision.FLAKE, Against(3, 0, 90, 0), rule=Rule(probation=5)))


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


def test_a_report_of_a_rerun_is_allowed_under_its_test(store: Store) -> None:
    said = Outcome(S.PASS, reports=(KASAN,), guest="g0")
    found, _ = strays_of(store, store.run(after(store, MORE_OFTEN, [(PASSES, said)])))
    for tests, gates in (((), False), (("*futex*",), False), (("*size*",), True)):
        entry = AllowedReport(KASAN.signature, "known", "https://example.org/1", date(2027, 1, 1), tests)
        (stray,) = strays(found, (), AllowedReports((entry,), today=date(2026, 12, 1)))
        assert stray.complaint.gates is gates


def test_a_crash_that_did_not_regress_does_not_excuse_its_report() -> None:
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: known(*[PASSES] * 20)})})
    for one, gates in ((None, True), (Decision.FLAKE, True), (Decision.OPEN, True), (Decision.REGRESSED, False)):
        decisions = {TEST: Decided(one, Pairs())} if one else {}
        verdict = judge_run([TEST], {TEST: CRASH}, baseline, decisions=decisions)
        assert [each.gates for each in verdict.tests[0].complaints] == [gates]
        assert verdict.exit_code is ExitCode.REGRESSION
