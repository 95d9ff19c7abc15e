"""Tests that an expunge list knows to fail, in the verdict and beside the baseline."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import was
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.compare import Verdict, judge
from kdevops.results.decision.stored import Against
from kdevops.results.faces import ANY, selected
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.rate import counts_of, rate_of
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.results.verdict import judge_run
from tests.support.baselines import learnt
from tests.support.decided import regressed

S, V = Status, Verdict
KEY = ("fstests", "xfs_crc")
TEST, OTHER = TestId(*KEY, "generic/482"), TestId(*KEY, "generic/001")
EXPUNGED = Baseline("6.1").with_expunges({TEST: "https://bugs.example/1"})
FLAKY = Baseline("6.1").with_expunges({TEST: "F:1/11"})
any_counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(1, 30)).map(Counts)
RUN = Run(7, "xfs", RunState.COMPLETE, "2026-01-01T00:00:00+00:00", "2026-01-01T00:10:00+00:00", {})


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        (S.FAIL, V.KNOWN_FAILURE, ExitCode.OK),
        (S.CRASH, V.KNOWN_FAILURE, ExitCode.OK),
        (S.HANG, V.KNOWN_FAILURE, ExitCode.OK),
        (S.PASS, V.FIXED, ExitCode.OK),
        (S.SKIP, V.OK, ExitCode.INCOMPLETE),
        (S.MISSING, V.MISSING, ExitCode.INCOMPLETE),
    ],
)
def test_what_an_expunged_test_does(status: Status, verdict: Verdict, code: ExitCode) -> None:
    judged = judge_run([TEST], {TEST: Outcome(status)}, EXPUNGED)
    assert judged.tests[0].verdict is verdict
    assert judged.exit_code is code
    flaky = judge_run([TEST], {TEST: Outcome(status)}, FLAKY)
    assert flaky.tests[0].verdict is (V.OK if verdict is V.FIXED else verdict)
    assert flaky.exit_code is code


@given(st.integers(1, 999), st.integers(1, 999), st.lists(st.sampled_from(Status), min_size=1, max_size=5))
def test_whatever_a_flaky_test_does_is_known(bad: int, good: int, statuses: list[Status]) -> None:
    known = Baseline("6.1").with_expunges({TEST: f"F:{bad}/{bad + good}"}).entry(TEST)
    assert known
    now = Counts.of(statuses)
    expected = V.KNOWN_FAILURE if now.bad else V.OK if now[S.PASS] or now[S.SKIP] else V.MISSING
    assert judge(known.counts, now, expunged=known.expunged) is expected


def test_the_other_tests_are_judged_as_before() -> None:
    judged = judge_run([TEST, OTHER], {TEST: Outcome(S.FAIL), OTHER: Outcome(S.FAIL)}, EXPUNGED)
    assert [each.verdict for each in judged.tests] == [V.KNOWN_FAILURE, V.INCONCLUSIVE]
    assert judged.exit_code is ExitCode.INCOMPLETE


def test_a_list_without_a_rate_is_refuted_by_passes_here() -> None:
    seen = Baseline("6.1", {KEY: Table("6.1", {TEST.name: Entry(Counts({S.PASS: 40}))})}).with_expunges({TEST: "x"})
    judged = judge_run([TEST], {TEST: Outcome(S.FAIL)}, seen)
    assert (judged.tests[0].verdict, judged.exit_code) == (V.INCONCLUSIVE, ExitCode.INCOMPLETE)
    assert judge_run([TEST], {TEST: Outcome(S.FAIL)}, seen, decisions=regressed(TEST)).exit_code is ExitCode.REGRESSION


def together(note: str, ours: Counts, own_note: str = "", **symptoms: int) -> Baseline:
    """A list, and results of ours of the same test."""
    seen = {name.replace("_", ":"): Seen(times) for name, times in symptoms.items()}
    table = Table("6.1", {TEST.name: Entry(ours, 1.0, own_note, symptoms=seen)})
    return Baseline("6.1", {KEY: table}).with_expunges({TEST: note})


def runs(*statuses: Status, subtest: str = "") -> dict[TestId, Outcome]:
    found = (Subtest(subtest, S.FAIL),) if subtest else ()
    return {TEST.repeat(n): Outcome(status, subtests=found) for n, status in enumerate(statuses, 1)}


@pytest.mark.parametrize(
    ("note", "ours", "now", "verdict"),
    [
        ("F:1/11", {S.PASS: 30}, [S.FAIL], V.KNOWN_FLAKE),
        ("F:1/11", {S.PASS: 30}, [S.FAIL, *[S.PASS] * 4], V.KNOWN_FLAKE),
        ("F:1/11", {S.PASS: 30}, [S.FAIL] * 5, V.INCONCLUSIVE),
        ("F:1/11", {S.PASS: 300}, [S.FAIL], V.INCONCLUSIVE),
        ("F:1/11", {S.PASS: 1}, [S.FAIL], V.KNOWN_FLAKE),
        ("F:1/11", {S.PASS: 30}, [S.CRASH], V.INCONCLUSIVE),
        ("crash F:1/11", {S.PASS: 30}, [S.CRASH], V.KNOWN_FLAKE),
        ("Hung:1/11", {S.PASS: 30}, [S.HANG], V.KNOWN_FLAKE),
        ("flaky test", {S.PASS: 5}, [S.FAIL], V.KNOWN_FLAKE),
        ("F:1/11", {S.PASS: 30}, [S.PASS], V.OK),
        ("F:1/11", {S.PASS: 30}, [S.SKIP], V.SKIPPED_NOW),
        ("F:1/11", {S.FAIL: 3}, [S.FAIL], V.KNOWN_FLAKE),
        ("F:1/11", {S.SKIP: 3}, [S.CRASH], V.KNOWN_FAILURE),  # it never ran here
        ("F:1/11", {S.SKIP: 3}, [S.SKIP], V.OK),
        ("fails", {S.PASS: 40}, [S.FAIL], V.INCONCLUSIVE),
        ("fails", {S.PASS: 40}, [S.PASS], V.OK),
        ("fails", {S.FAIL: 2}, [S.FAIL], V.KNOWN_FAILURE),
        ("fails", {S.FAIL: 2}, [S.PASS], V.FIXED),
    ],
)
def test_a_list_and_our_own_results_count_together(
    note: str, ours: dict[Status, int], now: list[Status], verdict: Verdict
) -> None:
    outcomes = runs(*now)
    judged = judge_run(tuple(outcomes), outcomes, together(note, Counts(ours)))
    assert {each.verdict for each in judged.tests} == {verdict}
    undecided = set(selected(judged))
    assert undecided == ({TEST} if verdict is V.INCONCLUSIVE else set())


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 60), st.integers(1, 20))
def test_a_list_that_says_how_often_excuses_no_more_the_more_often_it_passed_here(
    bad: int, good: int, passed: int, now: int
) -> None:
    def verdict(ours: int) -> Verdict:
        outcomes = runs(*[S.FAIL] * now)
        return (
            judge_run(tuple(outcomes), outcomes, together(f"F:{bad}/{bad + good}", Counts({S.PASS: ours})))
            .tests[0]
            .verdict
        )

    assert verdict(passed) in {V.KNOWN_FLAKE, V.INCONCLUSIVE}
    if verdict(passed) is V.INCONCLUSIVE:
        assert verdict(passed + 50) is V.INCONCLUSIVE


def test_accepting_a_pass_erases_nothing_of_what_a_list_says() -> None:
    note = "F:1/11 https://bugs.example/1"
    listed = Baseline("6.1").with_expunges({TEST: note})
    known = learnt(listed, {TEST: Outcome(S.PASS, 1.0)}).with_expunges({TEST: note}).entry(TEST)
    assert known
    assert (known.counts, known.ours) == (Counts({S.PASS: 11, S.FAIL: 1}), Counts({S.PASS: 1}))
    assert (known.note, known.expunged, known.only_listed) == (note, True, False)
    assert rate_of(known.note) == (1, 11)
    again = learnt(learnt(listed, {TEST: Outcome(S.PASS, 1.0)}), {TEST: Outcome(S.PASS, 1.0)})
    assert again.tables[KEY].entries[TEST.name] == Entry(Counts({S.PASS: 2}))  # nothing of the list is counted as ours


@given(any_counts, st.sampled_from(["F:1/11", "x", "flaky", "Hung:2/3"]), st.sampled_from(["", "mine", "F:1/11"]))
def test_our_own_note_comes_first_and_no_count_is_lost(ours: Counts, note: str, own: str) -> None:
    known = together(note, ours, own).entry(TEST)
    assert known
    assert known.note == {"": note, note: note}.get(own, f"{own}; {note}")
    assert known.counts == ours + counts_of(note)
    assert known.ours == ours
    assert known.evidence.bad == known.counts.bad
    assert known.evidence[S.PASS] == ours[S.PASS]


def test_a_failure_in_any_way_may_be_the_one_on_the_list() -> None:
    ours, outcomes = Counts({S.PASS: 29, S.FAIL: 1}), runs(S.FAIL, subtest="beta")
    for note, verdict in (("F:1/11", V.KNOWN_FLAKE), ("Hung:1/11", V.INCONCLUSIVE)):
        judged = judge_run([TEST], outcomes, together(note, ours, sub_alpha=1))
        assert judged.tests[0].verdict is verdict


def test_other_peoples_passes_accuse_no_kernel() -> None:
    outcomes = runs(*[S.FAIL] * 5)
    judged = judge_run(tuple(outcomes), outcomes, together("F:1/100", Counts({S.PASS: 2})))
    assert selected(judged)[TEST].faces[ANY].before == Against(3, 1)
    assert selected(judged)[TEST].faces[ANY].before.passes == 2  # which is less than any probation


def test_reports_under_a_test_that_ran_here_are_not_excused_by_a_list() -> None:
    report = KernelReport("warning", "WARNING in foo", "WARNING in foo", True, "")
    outcomes = {TEST: Outcome(S.FAIL, reports=(report,))}
    assert judge_run([TEST], outcomes, FLAKY).exit_code is ExitCode.OK
    assert judge_run([TEST], outcomes, together("F:1/11", Counts({S.PASS: 30}))).exit_code is ExitCode.REGRESSION


def test_the_summary_tells_what_is_ours_from_what_is_on_a_list() -> None:
    judged = judge_run([TEST], {TEST: Outcome(S.FAIL)}, together("F:1/11", Counts({S.PASS: 30}), "mine"))
    text = summary_text(RUN, judged)
    assert "was 30 pass, known to fail 1 time in 11 by an expunge list; now fail" in text
    assert "note: mine; F:1/11" in text
    (told,) = summary_json(RUN, judged)["tests"]  # type: ignore[misc,union-attr]
    assert (told["was"], told["expunged"], told["note"]) == ({"pass": 30}, True, "mine; F:1/11")  # type: ignore[call-overload,index]


def test_no_list_makes_a_crash_red_that_cannot_run_again() -> None:
    for status in (S.FAIL, S.CRASH, S.HANG):
        assert judge_run([TEST], {TEST: Outcome(status)}, EXPUNGED, can_rerun=False).exit_code is ExitCode.OK


def test_every_repeat_is_expunged() -> None:
    twice = [TEST, TEST.repeat(2)]
    judged = judge_run(twice, {test: Outcome(S.FAIL) for test in twice}, EXPUNGED)
    assert {each.verdict for each in judged.tests} == {V.KNOWN_FAILURE}


def test_nothing_of_it_gets_into_the_baseline() -> None:
    assert learnt(EXPUNGED, {TEST: Outcome(S.PASS, 1.0)}).tables[KEY].entries == {TEST.name: Entry(Counts({S.PASS: 1}))}


def test_a_test_left_out_on_purpose_is_a_known_failure_and_still_counted_as_skipped() -> None:
    outcomes = {TEST: Outcome(S.SKIP, reason="known failure: F:1/11"), OTHER: Outcome(S.PASS)}
    seen = Baseline("6.1", {KEY: Table("6.1", {test.name: Entry(Counts({S.PASS: 4})) for test in outcomes})})
    judged = judge_run([TEST, OTHER], outcomes, seen, left_out={TEST})
    assert [each.verdict for each in judged.tests] == [V.KNOWN_FAILURE, V.OK]
    assert judged.counts == Counts({S.PASS: 1, S.SKIP: 1})
    text = summary_text(RUN, judged)
    assert "Known failures: 1 skip" in text
    assert "Skipped now" not in text
    assert "1  known failure, left out" in text


def test_the_summary_names_the_list_and_not_counts_that_nobody_saw() -> None:
    judged = judge_run([TEST], {TEST: Outcome(S.PASS)}, EXPUNGED)
    assert "known to fail; now pass\n    note: https://bugs.example/1" in summary_text(RUN, judged)
    (told,) = summary_json(RUN, judged)["tests"]  # type: ignore[misc,union-attr]
    assert (told["was"], told["expunged"], told["note"]) == (None, True, "https://bugs.example/1")  # type: ignore[call-overload,index]
    judged = judge_run([TEST], {TEST: Outcome(S.FAIL)}, FLAKY)
    assert was(judged.tests[0].before) == "known to fail 1 time in 11"


def test_what_is_left_out_has_its_reason_and_is_never_given_to_a_guest(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        run = store.create_run("xfs", [PlannedRow(TEST, 60), PlannedRow(OTHER, 60)], {})
        store.left_out(run, {TEST: "known failure: F:1/11"})
        assert store.pending(run) == (OTHER,)
        assert store.outcomes(run) == {TEST: Outcome(S.SKIP, reason="known failure: F:1/11")}
        with pytest.raises(InfrastructureError, match="already has a status"):
            store.left_out(run, {OTHER: "x", TEST: "again"})
        assert store.pending(run) == (OTHER,)
