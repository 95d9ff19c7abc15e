"""Tests that an expunge list knows to fail, in the verdict and beside the baseline."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import was
from kdevops.results.baseline import Baseline, accept, save
from kdevops.results.compare import Verdict, judge
from kdevops.results.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.results.verdict import judge_run
from tests.support.decided import regressed

S, V = Status, Verdict
KEY = ("fstests", "xfs_crc")
TEST, OTHER = TestId(*KEY, "generic/482"), TestId(*KEY, "generic/001")
EXPUNGED = Baseline("6.1").with_expunges({TEST: "https://bugs.example/1"})
FLAKY = Baseline("6.1").with_expunges({TEST: "F:1/11"})
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


def test_what_was_seen_here_goes_before_the_list() -> None:
    seen = Baseline("6.1", {KEY: Table("6.1", {TEST.name: Entry(Counts({S.PASS: 40}))})}).with_expunges({TEST: "x"})
    judged = judge_run([TEST], {TEST: Outcome(S.FAIL)}, seen)
    assert (judged.tests[0].verdict, judged.exit_code) == (V.INCONCLUSIVE, ExitCode.INCOMPLETE)
    assert judge_run([TEST], {TEST: Outcome(S.FAIL)}, seen, decisions=regressed(TEST)).exit_code is ExitCode.REGRESSION


def test_no_list_makes_a_crash_red_that_cannot_run_again() -> None:
    for status in (S.FAIL, S.CRASH, S.HANG):
        assert judge_run([TEST], {TEST: Outcome(status)}, EXPUNGED, can_rerun=False).exit_code is ExitCode.OK


def test_every_repeat_is_expunged() -> None:
    twice = [TEST, TEST.repeat(2)]
    judged = judge_run(twice, {test: Outcome(S.FAIL) for test in twice}, EXPUNGED)
    assert {each.verdict for each in judged.tests} == {V.KNOWN_FAILURE}


def test_nothing_of_it_gets_into_the_baseline(tmp_path: Path) -> None:
    assert save(tmp_path, EXPUNGED) == ()
    assert accept(EXPUNGED, {TEST: Outcome(S.PASS, 1.0)}).tables[KEY].entries == {
        TEST.name: Entry(Counts({S.PASS: 1}), 1.0)
    }


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
