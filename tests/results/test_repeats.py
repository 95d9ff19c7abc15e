"""A test that is planned several times: its name, its line in the baseline, its history and its verdict."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.table_text import format_table
from kdevops.results.compare import Verdict
from kdevops.results.decision.decide import Decided
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.results.verdict import judge_run
from tests.support.baselines import learnt
from tests.support.decided import FLAKE, regressed

S, V = Status, Verdict
KEY = ("fstests", "xfs_crc")
ONE = TestId(*KEY, "generic/001")
FOUR = [ONE.repeat(number) for number in range(1, 5)]
PASSES = Entry(Counts({S.PASS: 9}), 2.0)


def known(**entries: Entry) -> Baseline:
    names = {name.replace("_", "/"): entry for name, entry in entries.items()}
    return Baseline("6.1", {KEY: Table("6.1", names)})


def ended(*statuses: Status) -> dict[TestId, Outcome]:
    return {test: Outcome(status, seconds=3.0) for test, status in zip(FOUR, statuses, strict=False)}


def test_repeats_are_numbered_from_two() -> None:
    assert [test.name for test in FOUR] == ["generic/001", "generic/001#2", "generic/001#3", "generic/001#4"]


@given(st.text(min_size=1), st.integers(1, 10_000))
def test_every_repeat_knows_its_test_and_no_other_name_is_taken_for_one(name: str, number: int) -> None:
    test = TestId("fstests", "p", name).plain
    assert test.repeat(number).plain == test
    for suite in ("kunit", "selftests"):
        other = TestId(suite, "default", f"{name}#{number}")
        assert other.plain == other


def test_what_looks_like_a_repeat_and_is_none_keeps_its_name() -> None:
    for name in ("generic/001#1", "generic/001#0", "generic/001#02", "generic/001#", "generic/001#x", "#2"):
        assert TestId(*KEY, name).plain.name == name


@pytest.mark.parametrize("number", [0, -1])
def test_there_is_no_repeat_before_the_first(number: int) -> None:
    with pytest.raises(ValueError, match="cannot be run"):
        ONE.repeat(number)


def test_a_suite_whose_names_may_have_a_number_sign_has_no_repeats() -> None:
    with pytest.raises(ValueError, match="kunit/default/x cannot be run for the 2th time"):
        TestId("kunit", "default", "x").repeat(2)


def test_all_repeats_count_in_the_line_of_the_test() -> None:
    outcomes = ended(S.PASS, S.FAIL, S.PASS, S.MISSING)
    after = learnt(known(generic_001=PASSES), outcomes)
    assert format_table(after.tables[KEY]) == "generic/001  pass=11 fail=1\n"
    afresh = learnt(known(generic_001=PASSES), outcomes, replace=True).entry(FOUR[2])
    assert afresh is not None
    assert afresh.counts == Counts({S.PASS: 2, S.FAIL: 1})


def test_another_suites_number_sign_is_part_of_the_name() -> None:
    outcomes = {TestId("kunit", "default", name): Outcome(S.PASS) for name in ("a", "a#2")}
    assert set(learnt(Baseline("6.1"), outcomes).tables["kunit", "default"].entries) == {"a", "a#2"}


@pytest.mark.parametrize(
    ("before", "decisions", "verdict", "code"),
    [
        (Entry(Counts({S.PASS: 9})), {}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        (Entry(Counts({S.PASS: 9})), {ONE: FLAKE}, V.FLAKE, ExitCode.OK),
        (Entry(Counts({S.PASS: 9})), regressed(ONE), V.REGRESSED, ExitCode.REGRESSION),
        (Entry(Counts({S.PASS: 9, S.FAIL: 1})), {}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        (Entry(Counts({S.PASS: 8, S.FAIL: 2})), {}, V.KNOWN_FLAKE, ExitCode.OK),
        (Entry(Counts({S.FAIL: 2})), {}, V.KNOWN_FAILURE, ExitCode.OK),
    ],
)
def test_one_table_is_judged_over_all_repeats(
    before: Entry, decisions: dict[TestId, Decided], verdict: Verdict, code: ExitCode
) -> None:
    judged = judge_run(FOUR, ended(S.PASS, S.PASS, S.FAIL, S.PASS), known(generic_001=before), decisions=decisions)
    assert [each.verdict for each in judged.tests] == [verdict] * 4
    assert judged.counts == Counts({S.PASS: 3, S.FAIL: 1})
    assert judged.exit_code is code
    (shown,) = judged.of(verdict)
    assert (shown.test, shown.now) == (FOUR[2], Counts({S.PASS: 3, S.FAIL: 1}))
    assert [each.test for each in judged.tests if each.gates] == ([FOUR[2]] if verdict is V.REGRESSED else [])
    assert [each.test for each in judged.undecided] == ([FOUR[2]] if verdict is V.INCONCLUSIVE else [])


def test_fixed_needs_every_repeat_to_pass() -> None:
    fails = known(generic_001=Entry(Counts({S.FAIL: 2})))
    assert {each.verdict for each in judge_run(FOUR, ended(*[S.PASS] * 4), fails).tests} == {V.FIXED}


def test_a_repeat_without_a_result_is_missing_whatever_the_others_did() -> None:
    judged = judge_run(FOUR, ended(S.PASS, S.PASS), known(generic_001=PASSES))
    assert [each.verdict for each in judged.tests] == [V.OK, V.OK, V.MISSING, V.MISSING]
    assert judged.exit_code is ExitCode.INCOMPLETE


@given(st.lists(st.sampled_from(list(Status)), min_size=1, max_size=4))
def test_planned_adds_up_and_something_bad_is_never_swallowed(statuses: list[Status]) -> None:
    judged = judge_run(FOUR[: len(statuses)], ended(*statuses), known(generic_001=PASSES))
    assert judged.counts == Counts.of(statuses)
    assert bool(judged.undecided) == (judged.counts.bad > 0)
    assert (judged.exit_code is ExitCode.OK) == (set(statuses) == {S.PASS} or set(statuses) == {S.PASS, S.SKIP})
    red = judge_run(FOUR[: len(statuses)], ended(*statuses), known(generic_001=PASSES), decisions=regressed(ONE))
    assert (red.exit_code is ExitCode.REGRESSION) == (judged.counts.bad > 0)


def test_the_history_of_a_repeat_is_that_of_the_test(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        run = store.create_run("lab", [PlannedRow(test, 60) for test in FOUR], {})
        for test, seconds in zip(FOUR, (1.0, 2.0, 9.0), strict=False):
            store.ended(run, test, Outcome(S.PASS, seconds=seconds))
        store.finish(run)
        assert store.history("lab", [ONE, FOUR[3], TestId(*KEY, "generic/002")]) == {ONE: 2.0, FOUR[3]: 2.0}


def test_the_summary_tells_of_a_test_once_and_how_often_it_failed() -> None:
    run = Run(7, "xfs", RunState.COMPLETE, "2026-01-01T00:00:00+00:00", "2026-01-01T00:10:00+00:00", {})
    again = ended(S.PASS, S.FAIL, S.PASS, S.PASS)
    verdict = judge_run(FOUR, again, known(generic_001=PASSES), decisions=regressed(ONE))
    told = "  fstests/xfs_crc/generic/001#2\n    was 9 pass; now fail (3 pass, 1 fail of 4)"
    assert f"Regressed (1)\n{told}" in summary_text(run, verdict)
    undecided = judge_run(FOUR, again, known(generic_001=PASSES))
    assert f"Not decided yet (1)\n{told}" in summary_text(run, undecided)
    assert len(summary_json(run, verdict)["tests"]) == 4  # type: ignore[arg-type]
