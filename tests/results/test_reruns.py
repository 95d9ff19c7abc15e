"""What counts as a bad rerun, from a store as the driver leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kdevops.errors import ExitCode
from kdevops.results.baselines.allowed_reports import AllowedReport, AllowedReports
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.boot_failure import BootFailure
from kdevops.results.complaints import strays
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule
from kdevops.results.decision.stored import Against
from kdevops.results.faces import ANY, UNUSUAL, Face, Selected, selected
from kdevops.results.model import Counts, KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.reruns import (
    CUT_SHORT,
    DECISION,
    SIDE,
    TURN,
    Side,
    boot_failure_of,
    decided,
    decision_record,
    in_words,
    spent,
    still_open,
    strays_of,
)
from kdevops.results.store import JSON, PlannedRow, Store
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


def one_face(name: str, face: Face, *, beside: bool = True) -> Selected:
    return Selected({name: face}, beside)


NEW_WAY = one_face(UNUSUAL, Face(Against(3, 0), least=S.FAIL, known=frozenset({"sub:alpha"})))
MORE_OFTEN = one_face(ANY, Face(Against(7, 1)))
KASAN = KernelReport("KASAN", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo", gates=True, text="")
CRASH = Outcome(S.CRASH, oops=KASAN.title, reports=(KASAN,))
DIED_SOMEHOW = Outcome(S.CRASH, oops="an old text")
"""As older versions stored it: a crash that the kernel reported, without its reports."""
SOME_CRASH = one_face("new crash", Face(Against(9, 0), worse=frozenset({S.CRASH})))
A_CRASH = one_face(UNUSUAL, Face(Against(40, 0), least=S.CRASH, untold=frozenset({S.FAIL})))
NOT_FAILS = one_face(UNUSUAL, Face(Against(40, 0), least=S.CRASH))
IN_BETA = one_face("new fail", Face(Against(3, 0), frozenset({"sub:beta"}), frozenset({S.HANG})))
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
        (NOT_FAILS, [(ALPHA, BETA)], (0, 1), (0, 1)),
        # Of a test that was selected for failing in beta, that counts, or what is worse than it ever did.
        (IN_BETA, [(ALPHA, BETA), (UNTOLD, failing("alpha", "beta"))], (0, 2), (2, 2)),
        (IN_BETA, [(PASSES, ALPHA), (PASSES, UNTOLD), (PASSES, CRASH)], (0, 3), (0, 3)),
        (IN_BETA, [(Outcome(S.HANG), Outcome(S.HANG))], (1, 1), (1, 1)),
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
        "regressed: failed again in an unusual way in 3 of 3 runs (44%-100%), with the baseline kernel in 0 of 3 runs (0%-56%)"
    )
    started = decided(store, store.run(after(store, NEW_WAY, [])))
    assert in_words(started[TEST]).endswith("; about 14 more runs on each kernel")
    assert still_open(started) == [TEST]


def test_a_test_that_now_always_fails_in_a_milder_known_way_is_no_flake(store: Store) -> None:
    crash = Face(Against(20, 0), frozenset({"crash"}))
    rare_fail = Selected({ANY: Face(Against(20, 1)), "new crash": crash}, beside=True)
    each = decided(store, store.run(after(store, rare_fail, [(PASSES, ALPHA)] * 14)))[TEST]
    assert (each.decision, each.now) == (Decision.REGRESSED, (14, 14))
    each = decided(store, store.run(after(store, rare_fail, [(ALPHA, ALPHA)] * 20)))[TEST]
    assert each.decision is Decision.FLAKE, "it does that on both"
    each = decided(store, store.run(after(store, replace(rare_fail, beside=False), [(None, ALPHA)] * 18)))[TEST]
    assert (each.decision, each.before) == (Decision.REGRESSED, (1, 20))


def test_of_several_open_faces_the_one_that_regresses_is_told_else_the_one_that_takes_longest(store: Store) -> None:
    hangs = Face(Against(7, 0), frozenset({"hang"}))
    chosen = Selected({ANY: Face(Against(7, 1)), "new hang": hangs}, beside=True)
    each = decided(store, store.run(after(store, chosen, [(ALPHA, Outcome(S.HANG))] * 2)))[TEST]
    assert (each.decision, each.before, each.now) == (Decision.OPEN, (0, 2), (2, 2)), "it never hung there"
    each = decided(store, store.run(after(store, chosen, [(ALPHA, PASSES), (PASSES, ALPHA)])))[TEST]
    assert (each.decision, each.before, each.now) == (Decision.OPEN, (1, 2), (1, 2)), "that it hangs is excluded sooner"


def test_a_kernel_that_does_not_boot_for_a_rerun_gives_no_flake(store: Store) -> None:
    number = after(store, MORE_OFTEN, [(PASSES, PASSES)] * 13)
    assert boot_failure_of(store, store.run(number)) is None
    for turn in range(14, 20):
        failed = BootFailure("kernel BUG", "demo-1", "c").as_record()
        run(store, None, {SIDE: Side.NOW, TURN: turn, CUT_SHORT: True, **failed}, number)
    each = decided(store, store.run(number))[TEST]
    assert (each.runs, each.tries, each.decision) == (13, 19, Decision.OPEN)
    found = boot_failure_of(store, store.run(number))
    assert found
    assert found.title == "kernel BUG"


def test_decisions_that_an_older_version_began_go_on(store: Store) -> None:
    old = {"bad": 0, "any_bad": 9, "runs": 9, "beside": True, "least": "crash", "known": [], "untold": ["fail"]}
    milder = {**old, "least": None, "any_bad": None, "bad": 1}
    for said, ends in ((old, Decision.REGRESSED), (milder, Decision.OPEN)):
        number = after(store, MORE_OFTEN, [(UNTOLD, CRASH)] * 4)
        store.update_record(number, {DECISION: {"alpha": 0.05, "smallest": 0.25, "of": 1, "tests": {str(TEST): said}}})
        assert decided(store, store.run(number))[TEST].decision is ends


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


def test_the_rule_is_that_of_the_record_and_older_ones_have_no_probation(store: Store) -> None:
    chosen = {TEST: one_face(UNUSUAL, Face(Against(3, 0), least=S.FAIL), beside=False)}
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


def test_the_question_that_is_open_is_told_with_its_own_counts_and_no_probation(store: Store) -> None:
    entry = Entry(Counts({S.PASS: 200, S.FAIL: 20}), symptoms={"sub:alpha": Seen(20)})
    tables = {("selftests", "default"): Table("6.1", {TEST.name: entry})}
    chosen = selected(judge_run([TEST], {TEST: BETA}, Baseline("6.1", tables)))
    number = run(store, BETA)
    store.update_record(number, decision_record(chosen, Rule(probation=5), of=1))
    for turn in range(6):
        run(store, PASSES if turn % 3 else failing(f"gamma {turn}"), {SIDE: Side.NOW, TURN: turn}, number)
    assert in_words(decided(store, store.run(number))[TEST]) == (
        "open: failed again in an unusual way in 2 of 6 runs (10%-70%), in the baseline in 20 of 220 runs (6%-14%);"
        " more runs are unlikely to tell"
    )


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("any", "again in 0"),
        ("new hang", "again in a new way in 0"),
        ("more fail", "again in a rare way in 0"),
        ("a crash or worse", "again with a crash or worse in 0"),
        ("by sub:alpha", "again in a usual way in 0"),
        ("unknown", "again in an unusual way in 0"),
    ],
)
def test_what_is_counted_is_told(question: str, words: str) -> None:
    assert words in in_words(Decided(Decision.OPEN, Against(9, 0, 1, 0), question=question))


@pytest.mark.parametrize("stored", [30, 100, 1000])
def test_what_goes_on_to_fail_in_ways_that_nobody_knows_is_no_flake_however_much_is_stored(
    store: Store, stored: int
) -> None:
    entry = Entry(Counts({S.FAIL: stored}), symptoms={"sub:alpha": Seen(stored)})
    tables = {("selftests", "default"): Table("6.1", {TEST.name: entry})}
    chosen = selected(judge_run([TEST], {TEST: BETA}, Baseline("6.1", tables)))[TEST]
    number = after(store, chosen, [(None, failing(f"gamma {turn}")) for turn in range(40)])
    assert decided(store, store.run(number))[TEST].decision is Decision.OPEN
    number = after(store, chosen, [(None, ALPHA)] * 40)
    assert decided(store, store.run(number))[TEST].decision is (Decision.OPEN if stored < 100 else Decision.FLAKE)


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
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: Entry(Counts({S.PASS: 20}))})})
    for one, gates in ((None, True), (Decision.FLAKE, True), (Decision.OPEN, True), (Decision.REGRESSED, False)):
        decisions = {TEST: Decided(one, Pairs())} if one else {}
        verdict = judge_run([TEST], {TEST: CRASH}, baseline, decisions=decisions)
        assert [each.gates for each in verdict.tests[0].complaints] == [gates]
        assert verdict.exit_code is ExitCode.REGRESSION
