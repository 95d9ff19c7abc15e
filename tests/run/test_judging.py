"""A stored run is judged without reading all of it, and nothing that is said of it changes."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.judging import judge

LINE = st.sampled_from(["", "a", "b", "WARNING in foo", "rcu stall"])
TEXT = st.sampled_from(["", "WARNING in foo\n RIP: foo\n", "BUG: bar\n"])
REPORTS = st.builds(KernelReport, LINE, LINE, LINE, st.booleans(), TEXT)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Status),
    reason=LINE,
    subtests=st.lists(st.builds(Subtest, LINE, st.sampled_from(Status), LINE), max_size=4).map(tuple),
    oops=TEXT,
    reports=st.lists(REPORTS, max_size=3).map(tuple),
    reports_cut=st.integers(0, 1),
)


FOLLOWING = (
    KernelReport("warning", "WARNING in foo", "WARNING in foo", True, "WARNING in foo\n RIP: foo\n"),
    KernelReport("bug", "BUG in bar", "", True, "BUG: bar\n"),
)
EXPLAINED = Outcome(Status.CRASH, oops="BUG: bar\n", reports=FOLLOWING)
"""A crash whose cause is found by its text alone."""


def run_of(store: Store, outcomes: list[Outcome | None], directory: Path, **record: int) -> int:
    tests = [TestId("fstests", "xfs", f"generic/{number:03}") for number in range(len(outcomes))]
    facts = {"kernel": {"release": "6.1.1"}, "baseline": str(directory / "baseline"), **record}
    run = store.create_run("xfs", [PlannedRow(test, 1.0) for test in tests], facts)
    for test, outcome in zip(tests, outcomes, strict=True):
        if outcome:
            store.ended(run, test, outcome)
    return run


@example([EXPLAINED], None)
@given(st.lists(OUTCOMES | st.none(), min_size=1, max_size=4), st.lists(OUTCOMES, min_size=1, max_size=4) | st.none())
def test_what_is_not_read_is_not_missed(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[Outcome | None], beside: list[Outcome | None] | None
) -> None:
    directory = tmp_path_factory.mktemp("state")
    baseline = directory / "baseline/6.1/fstests/xfs.txt"
    baseline.parent.mkdir(parents=True)
    baseline.write_text("generic/000  pass=3 fail=1\ngeneric/001  pass=2\ngeneric/009  pass=1\n")
    with Store(directory) as store, store.together():
        record = {} if beside is None else {"compared_with": run_of(store, beside, directory)}
        run = store.run(run_of(store, outcomes, directory, **record))
        brief, whole = judge(store, run), judge(store, run, whole=True)
        assert store.outcomes(run.id) == {
            each.test: each.outcome for each in whole.tests if each.test in store.outcomes(run.id)
        }
    for report in (summary_text, summary_json, mail):
        assert report(run, brief) == report(run, whole)
    for few, all_ in zip(brief.tests, whole.tests, strict=True):
        assert [replace(each.report, text="") for each in few.complaints] == [
            replace(each.report, text="") for each in all_.complaints
        ]
        assert set(few.outcome.subtests) == {each for each in all_.outcome.subtests if not each.status.is_well}


def test_the_collector_is_on_again_whatever_happens(tmp_path: Path) -> None:
    (tmp_path / "baseline/6.1/fstests").mkdir(parents=True)
    (tmp_path / "baseline/6.1/fstests/xfs.txt").write_text("<<<<<<< HEAD\n")
    with Store(tmp_path) as store:
        run = store.run(run_of(store, [Outcome(Status.PASS)], tmp_path))
        with pytest.raises(UserError, match="conflict"):
            judge(store, run)
    assert gc.isenabled()


def test_a_run_whose_baseline_kernels_run_is_lost_is_not_judged_without_it(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        run = store.run(run_of(store, [Outcome(Status.PASS)], tmp_path, compared_with=7))
        with pytest.raises(InfrastructureError, match="run 1 cannot be judged: run 7, of the baseline kernel, is lost"):
            judge(store, run)
