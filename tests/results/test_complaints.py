"""What the kernel reported under a test: what makes the run red, and what is told and no more."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.results import rows
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.reports import KnownReports
from kdevops.results.complaints import FLOOD, complaints
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, RunVerdict, judge_run
from kdevops.text import clean
from tests.support.baselines import learnt
from tests.support.decided import regressed

S = Status
BAD = [S.FAIL, S.CRASH, S.HANG]


def tid(name: str) -> TestId:
    return TestId("commands", "default", name)


KASAN = KernelReport(
    "kasan", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo+0x1/0x2", True, "kasan"
)
PANIC = KernelReport("panic", "panic in foo", "Kernel panic - not syncing: foo", True, "panic")
NOTICE = KernelReport("ext4 error", "EXT4-fs error", "EXT4-fs error (device vdb): x", False, "ext4")
ARM = Run(1, "ab", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", "2026-11-21T08:10:00+00:00", {})


def judged(outcome: Outcome, *before: Status, known: tuple[str, ...] = (), **more: object) -> RunVerdict:
    table = Table("6.1", {"x": Entry(Counts.of(before or [S.PASS]))})
    baseline = Baseline("6.1", {("commands", "default"): table}, reports=KnownReports("6.1", dict.fromkeys(known, "")))
    return judge_run([tid("x")], {tid("x"): outcome}, baseline, **more)  # type: ignore[arg-type]


def test_five_kasan_reports_under_passing_tests_make_the_run_red() -> None:
    planned = [tid(f"t{number}") for number in range(300)]
    outcomes = {test: Outcome(S.PASS, reports=(KASAN,) if n < 5 else ()) for n, test in enumerate(planned)}
    known = {test.name: Entry(Counts({S.PASS: 1})) for test in planned}
    baseline = Baseline("6.1", {("commands", "default"): Table("6.1", known)})
    verdict = judge_run(planned, outcomes, baseline)
    assert verdict.exit_code is ExitCode.REGRESSION
    assert verdict.troubles == {KASAN.signature}
    assert not any(each.gates for each in verdict.tests), "the tests themselves passed"
    assert judge_run(planned, outcomes, learnt(baseline, outcomes)).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("outcome", "before"),
    [
        (Outcome(S.PASS, reports=(KASAN,)), S.PASS),
        (Outcome(S.SKIP, reports=(NOTICE, KASAN)), S.SKIP),
        (Outcome(S.FAIL, reports=(KASAN,)), S.FAIL),
        (Outcome(S.MISSING, reports=(KASAN,)), S.PASS),
    ],
)
def test_trouble_that_nobody_knows_gates_whatever_became_of_the_test(outcome: Outcome, before: Status) -> None:
    assert judged(outcome, before).exit_code is ExitCode.REGRESSION
    if outcome.status in {S.PASS, S.FAIL}:
        assert judged(outcome, before, known=(KASAN.signature,)).exit_code is ExitCode.OK
    complaint = judged(outcome, before, known=(KASAN.signature,)).tests[0].complaints[-1]
    assert (complaint.known, complaint.gates) == (True, False), "and is told all the same"


def test_a_notice_is_told_and_gates_nothing() -> None:
    verdict = judged(Outcome(S.PASS, reports=(NOTICE,)))
    assert verdict.exit_code is ExitCode.OK
    assert [each.report for each in verdict.tests[0].complaints] == [NOTICE]


def test_what_the_baseline_arm_shows_too_is_known() -> None:
    outcome = Outcome(S.PASS, reports=(KASAN,))
    same = Arm(ARM, {tid("x"): Outcome(S.PASS), tid("y"): outcome})
    assert judged(outcome, arm=same).exit_code is ExitCode.OK
    other = Arm(ARM, {tid("x"): Outcome(S.PASS, reports=(PANIC,))})
    assert judged(outcome, arm=other).exit_code is ExitCode.REGRESSION
    notice = Arm(ARM, {tid("x"): Outcome(S.PASS, reports=(KernelReport("", KASAN.signature, "", False, ""),))})
    assert judged(outcome, arm=notice).exit_code is ExitCode.REGRESSION


def test_the_report_that_explains_a_known_crash_is_not_counted_again() -> None:
    ended = Outcome(S.CRASH, oops="kasan", reports=(KASAN, PANIC))
    assert judged(ended, S.CRASH).exit_code is ExitCode.OK
    by_title = Outcome(S.CRASH, oops=f"{KASAN.title}\nand more", reports=(KASAN, PANIC))
    assert judged(by_title, S.CRASH).exit_code is ExitCode.OK
    red = judged(ended, S.PASS, decisions=regressed(tid("x")))
    assert red.exit_code is ExitCode.REGRESSION
    assert red.troubles == frozenset(), "the crash is what is red"


def test_the_report_of_a_crash_that_nobody_has_decided_on_gates_and_once_decided_the_crash_does() -> None:
    ended = Outcome(S.CRASH, oops="kasan", reports=(KASAN, PANIC))
    for before in (S.PASS, S.FAIL, S.SKIP):
        undecided = judged(ended, before)
        assert undecided.troubles == {KASAN.signature, PANIC.signature}
        assert (undecided.exit_code, undecided.tests[0].gates) == (ExitCode.REGRESSION, False)
    assert judged(Outcome(S.CRASH), S.PASS).exit_code is ExitCode.INCOMPLETE, "nothing was reported"
    imported = judged(ended, S.PASS, can_rerun=False)
    assert (imported.troubles, imported.tests[0].gates) == (frozenset(), True)


def test_what_the_baseline_kernel_reports_in_reruns_is_known_too() -> None:
    outcome, strange = Outcome(S.PASS, reports=(KASAN, PANIC)), [{**asdict(KASAN), "guest": "x", "when": "at boot"}]
    both = judged(outcome, strays_said=strange, known_too={KASAN.signature, PANIC.signature})
    assert (both.troubles, both.exit_code) == (frozenset(), ExitCode.OK)
    assert [each.known for each in both.tests[0].complaints] == [True, True], "and are told all the same"
    assert [each.complaint.known for each in both.strays] == [True]
    assert judged(outcome, strays_said=strange, known_too={PANIC.signature}).troubles == {KASAN.signature}
    arm = Arm(ARM, {tid("x"): Outcome(S.PASS, reports=(PANIC,))})
    assert judged(outcome, strays_said=strange, known_too={KASAN.signature}, arm=arm).troubles == frozenset()


def test_trouble_before_the_one_that_explains_a_known_crash_counts() -> None:
    ended = Outcome(S.CRASH, oops="panic", reports=(KASAN, PANIC))
    assert judged(ended, S.CRASH).troubles == {KASAN.signature}
    unrelated = Outcome(S.CRASH, oops="something else", reports=(KASAN, PANIC))
    assert judged(unrelated, S.CRASH).troubles == {KASAN.signature, PANIC.signature}, "which explain nothing"


@pytest.mark.parametrize(
    "kind", ["hung task", "soft lockup", "rcu stall", "workqueue lockup", "csd lock", "need resched"]
)
def test_of_a_known_hang_the_stalls_are_not_counted_again_and_all_else_is(kind: str) -> None:
    stall = KernelReport(kind, f"{kind} in foo", f"INFO: {kind}", True, "stall")
    assert judged(Outcome(S.HANG, oops="stall", reports=(stall,)), S.HANG).exit_code is ExitCode.OK
    hung = Outcome(S.HANG, oops="kasan", reports=(KASAN, stall))
    assert judged(hung, S.HANG).troubles == {KASAN.signature}
    assert judged(Outcome(S.PASS, reports=(stall,))).troubles == {stall.signature}


def test_an_expunge_list_excuses_what_goes_wrong_and_not_what_passes() -> None:
    baseline = Baseline("6.1").with_expunges({tid("x"): "F:1/11"})
    for status in [*BAD, S.PASS]:
        outcomes = {tid("x"): Outcome(status, reports=(KASAN,))}
        red = judge_run([tid("x")], outcomes, baseline).troubles == {KASAN.signature}
        assert red == (status is S.PASS)


def test_a_flood_of_troubles_hides_none() -> None:
    kept = (KernelReport("warning", "a", "a", True, ""), KernelReport("warning", "b", "b", True, ""))
    flood = Outcome(S.PASS, reports=kept, reports_cut=1)
    assert judged(flood, known=("a", "b")).troubles == {f"{FLOOD} a"}, "what was not kept may be anything"
    notices = Outcome(S.PASS, reports=(*kept, NOTICE), reports_cut=9)
    assert judged(notices, known=("a", "b")).exit_code is ExitCode.OK, "what was cut was no worse than a notice"
    after = learnt(Baseline("6.1"), {tid("x"): flood})
    assert after.reports.notes.keys() == {"a", "b", f"{FLOOD} a"}


def test_runs_of_the_first_schema_are_told_and_gate_nothing() -> None:
    (told,) = judged(Outcome(S.PASS, oops="\n WARNING: x\ntrace")).tests[0].complaints
    assert (told.signature, told.gates) == ("WARNING: x", False)
    assert complaints(Outcome(S.CRASH, oops="panic"), ()) == ()


SIGNATURES = st.text(min_size=1, max_size=5).map(clean).filter(bool)
"""As the store has them; without any, a report can never be known."""
REPORTS = st.builds(
    KernelReport,
    st.sampled_from(["kasan", "warning", ""]),
    SIGNATURES,
    st.text(max_size=8),
    st.booleans(),
    st.text(max_size=8),
)


@given(st.lists(REPORTS, max_size=6), st.sampled_from([S.PASS, S.SKIP, S.FAIL]))
def test_what_is_accepted_gates_no_more_and_nothing_that_gates_is_hidden(
    reports: list[KernelReport], status: Status
) -> None:
    outcome = Outcome(status, reports=tuple(reports))
    told = complaints(outcome, ())
    assert len(told) == len(reports)
    assert any(each.gates for each in told) == any(each.gates for each in reports)
    after = learnt(Baseline("6.1"), {tid("x"): outcome}).reports.notes
    assert not any(each.gates for each in complaints(outcome, after))


def test_what_no_test_is_to_blame_for_counts_as_any_other() -> None:
    def said(report: KernelReport) -> dict[str, object]:
        return {**asdict(report), "guest": "demo-1", "when": "at boot"}

    ok, strange = Outcome(S.PASS), [said(KASAN), said(NOTICE)]
    red = judged(ok, strays_said=strange)
    assert (red.exit_code, red.troubles) == (ExitCode.REGRESSION, {KASAN.signature})
    assert [(each.guest, each.when) for each in red.strays] == [("demo-1", "at boot")] * 2
    assert judged(ok, known=(KASAN.signature,), strays_said=strange).exit_code is ExitCode.OK
    assert judged(ok, strays_said=[said(NOTICE)]).exit_code is ExitCode.OK
    after = learnt(Baseline("6.1"), {tid("x"): ok}, strays=strange)
    assert after.reports.notes.keys() == {KASAN.signature}
    arm = Arm(ARM, {tid("x"): ok}, elsewhere=frozenset({KASAN.signature}))
    assert judged(ok, arm=arm, strays_said=strange).exit_code is ExitCode.OK


def test_a_signature_is_judged_as_it_is_stored() -> None:
    dirty = KernelReport("kasan", f" KASAN:\x1b[31m in {'x' * 900}", "t", True, "")
    kept = complaints(Outcome(S.PASS, reports=(dirty,)), ())[0].signature
    assert len(kept) == rows.MAX_LINE
    assert kept.startswith("KASAN: in x")
