"""Tests that ran before and skip now: told, and not green unless the lab allows it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import headline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, RunVerdict, judge_run
from tests.support.decided import OPEN, regressed

S = Status
KEY = ("fstests", "xfs_crc")
RUN = Run(3, "xfs", RunState.COMPLETE, "2026-11-21T08:00:00.000+00:00", "2026-11-21T08:10:00.000+00:00", {})
WHY = "this test requires a valid $SCRATCH_DEV"


def tid(name: str) -> TestId:
    return TestId(*KEY, name)


def judged(now: dict[str, Outcome], known: dict[str, Counts], rule: str = "", **more: object) -> RunVerdict:
    table = Table("6.1", {name: Entry(counts) for name, counts in known.items()})
    outcomes = {tid(name): outcome for name, outcome in now.items()}
    return judge_run(
        list(outcomes),
        outcomes,
        Baseline("6.1", {KEY: table} if known else {}),
        allow_skip=lambda _test, _reason: rule,
        **more,  # type: ignore[arg-type]
    )


NOW = {"generic/001": Outcome(S.PASS), "generic/002": Outcome(S.SKIP, reason=WHY)}
PASSED = {"generic/001": Counts({S.PASS: 3}), "generic/002": Counts({S.PASS: 3})}


@pytest.mark.parametrize("before", [Counts({S.PASS: 1}), Counts({S.FAIL: 1}), Counts({S.CRASH: 2, S.PASS: 1})])
def test_a_test_that_ran_before_and_skips_now_is_not_green(before: Counts) -> None:
    verdict = judged(NOW, {**PASSED, "generic/002": before})
    assert [each.test for each in verdict.skipped_now] == [tid("generic/002")]
    assert verdict.exit_code is ExitCode.INCOMPLETE
    assert judged(NOW, {**PASSED, "generic/002": before}, "test x").exit_code is ExitCode.OK


@pytest.mark.parametrize("before", [Counts({S.SKIP: 1}), Counts({S.SKIP: 1, S.PASS: 9})])
def test_a_skip_that_is_known_loses_nothing(before: Counts) -> None:
    assert judged(NOW, {**PASSED, "generic/002": before}).exit_code is ExitCode.OK


def test_a_test_that_runs_on_the_baseline_kernel_and_skips_under_test_is_not_green() -> None:
    beside = Arm(replace(RUN, id=2), {tid("generic/001"): Outcome(S.PASS), tid("generic/002"): Outcome(S.PASS)})
    verdict = judged(NOW, {}, arm=beside)
    assert verdict.exit_code is ExitCode.INCOMPLETE
    assert judged(NOW, {}, "test x", arm=beside).exit_code is ExitCode.OK
    text = summary_text(RUN, verdict, width=120)
    assert "verdict.allow_skips in the lab\n" in text, "accepting the run would not help"
    skips = {tid("generic/001"): Outcome(S.PASS), tid("generic/002"): Outcome(S.SKIP)}
    both = judged(NOW, PASSED, arm=replace(beside, outcomes=skips))
    assert both.exit_code is ExitCode.INCOMPLETE, "that it skips on both kernels brings nothing back"
    assert judged(NOW, {}, arm=replace(beside, outcomes=skips)).exit_code is ExitCode.OK


@pytest.mark.parametrize("status", [S.FAIL, S.CRASH, S.HANG])
def test_a_regression_outweighs_it_and_it_is_told_all_the_same(status: Status) -> None:
    verdict = judged({**NOW, "generic/001": Outcome(status)}, PASSED, decisions=regressed(tid("generic/001")))
    assert verdict.exit_code is ExitCode.REGRESSION
    assert "1 test that ran before skips now: generic/002" in headline(RUN, verdict)


def test_a_failure_that_is_not_decided_keeps_the_run_incomplete_too() -> None:
    for decisions in ({}, {tid("generic/001"): OPEN}):
        verdict = judged(
            {**NOW, "generic/001": Outcome(S.FAIL)},
            {**PASSED, "generic/001": Counts({S.PASS: 9})},
            decisions=decisions,
        )
        assert verdict.exit_code is ExitCode.INCOMPLETE
        assert headline(RUN, verdict).startswith(
            "Incomplete: 1 failure is not decided: generic/001; 1 test that ran before skips now: generic/002; "
        )


def test_of_its_repeats_one_that_runs_is_enough_and_one_that_is_not_allowed_is_too_many() -> None:
    twice = {"generic/002": Outcome(S.SKIP, reason="a"), "generic/002#2": Outcome(S.SKIP, reason="b")}
    assert len(judged(twice, PASSED).skipped_now) == 1
    table = Baseline("6.1", {KEY: Table("6.1", {"generic/002": Entry(Counts({S.PASS: 1}))})})
    outcomes = {tid(name): outcome for name, outcome in twice.items()}
    half = judge_run(list(outcomes), outcomes, table, allow_skip=lambda _, why: "reason a" if why == "a" else "")
    assert [each.outcome.reason for each in half.skipped_now] == ["b"]
    assert judged({**twice, "generic/002": Outcome(S.PASS)}, PASSED).skipped_now == ()


def test_every_report_tells_it_with_its_reason_and_how_to_allow_it() -> None:
    verdict = judged(NOW, PASSED)
    assert headline(RUN, verdict) == (
        "Coverage lost: 1 test that ran before skips now: generic/002; nothing regressed in 1 test that ran (1 pass); "
        "1 skipped; 2 of the 2 tests in the baseline"
    ).removesuffix("; 2 of the 2 tests in the baseline")
    text = summary_text(RUN, verdict, width=200)
    assert (
        "\nSkipped now, ran before (1)\n  fstests/xfs_crc/generic/002\n    was 3 pass; now skip\n"
        f"    {WHY}\n  if that is right: list them under verdict.allow_skips in the lab, or accept the run\n"
    ) in text
    assert "  accept  kdevops baseline accept 3\n" in text
    told = mail(replace(RUN, record={"kernel": {"release": "6.1"}}), verdict)
    assert f"\nRan before, but skipped now: 1\n    1  {WHY}\n       xfs_crc generic/002\n" in told
    assert "  Skipped now, ran before: generic/002\n" in told
    data = summary_json(RUN, verdict)
    assert data["exit_code"] == 4
    assert data["skipped_now"] == [
        {"suite": "fstests", "profile": "xfs_crc", "name": "generic/002", "reason": WHY, "allowed": None}
    ]


def test_a_skip_that_is_allowed_is_told_with_its_rule() -> None:
    verdict = judged(NOW, PASSED, "reason *SCRATCH_DEV")
    assert headline(RUN, verdict) == (
        "Nothing regressed in 1 test that ran (1 pass); 1 skipped, of which 1 ran before and may skip"
    )
    text = summary_text(RUN, verdict, width=120)
    assert "\nRan before, and may skip by reason *SCRATCH_DEV: 1 test\n" in text
    assert "Skipped now" not in text
    told = mail(replace(RUN, record={"kernel": {"release": "6.1"}}), verdict)
    assert "  Skipped now, allowed: generic/002\n" in told
    assert "Ran before, but" not in told
    assert summary_json(RUN, verdict)["skipped_now"][0]["allowed"] == "reason *SCRATCH_DEV"  # type: ignore[index,call-overload]


def test_an_imported_run_has_no_lab_to_allow_it_in() -> None:
    text = summary_text(replace(RUN, record={"imported": {"directory": "x"}}), judged(NOW, PASSED), width=120)
    assert "  if that is right: accept the run\n" in text


tables = st.dictionaries(st.sampled_from(list(Status)), st.integers(1, 3)).map(Counts)
names = st.sampled_from(["a", "b", "c"])


@given(
    st.dictionaries(names, st.sampled_from(list(Status)), min_size=1),
    st.dictionaries(names, tables),
    st.text(max_size=9),
)
def test_allowing_skips_changes_nothing_but_skips(now: dict[str, Status], known: dict[str, Counts], rule: str) -> None:
    outcomes = {name: Outcome(status, reason="why") for name, status in now.items()}
    without, allowed = judged(outcomes, known), judged(outcomes, known, rule)
    assert [each.verdict for each in without.tests] == [each.verdict for each in allowed.tests]
    assert without.troubles == allowed.troubles
    if without.exit_code is not allowed.exit_code:
        assert rule
        assert (without.exit_code, allowed.exit_code) == (ExitCode.INCOMPLETE, ExitCode.OK)
    if any(each.verdict is Verdict.SKIPPED_NOW for each in without.tests):
        assert without.exit_code in {ExitCode.INCOMPLETE, ExitCode.REGRESSION}
    json.dumps(summary_json(RUN, allowed))
