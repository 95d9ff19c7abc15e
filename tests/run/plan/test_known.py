from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdevops.lab.model import Lab
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.run.judging import judge
from kdevops.run.plan.known import expunged, known_record, leave_out, left_out
from kdevops.suites.base import PlannedTest
from tests.support.baselines import save

S = Status
KEY = ("fstests", "xfs_crc")
FLAKY, TWICE, FINE = TestId(*KEY, "generic/482"), TestId(*KEY, "generic/482").repeat(2), TestId(*KEY, "generic/001")
FUTEX = TestId("selftests", "default", "futex:run.sh")
WHY = "F:1/11 https://bugs.example/1"


def lab(known: str) -> Lab:
    raw = {"name": "xfs", "kernel": {"source": {"path": "/linux"}}}
    return Lab.model_validate({**raw, "suites": {"fstests": {"profiles": ["xfs_crc"], "known": known}}})


def suites() -> list[Any]:
    tests = [PlannedTest(FLAKY, 60, known=WHY), PlannedTest(TWICE, 60, known=WHY), PlannedTest(FINE, 60)]
    return [
        SimpleNamespace(name="fstests", tests=tests, record={}, known_from="1 known failure, from the lists of 6.1.42"),
        SimpleNamespace(name="selftests", tests=[PlannedTest(FUTEX, 60, known="x")]),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "state") as store:
        yield store


def begun(store: Store, known: str, baseline: Path) -> Run:
    rows = [PlannedRow(test, 60) for test in (FLAKY, TWICE, FINE, FUTEX)]
    record = {"kernel": {"release": "6.1.11+"}, "baseline": str(baseline), **known_record(lab(known), suites())}
    return store.run(store.create_run("xfs", rows, record))


def test_what_was_known_when_the_run_was_planned_is_in_its_record(store: Store, tmp_path: Path) -> None:
    run = begun(store, "run", tmp_path)
    assert expunged(run) == {FLAKY: WHY, FUTEX: "x"}
    leave_out(store, run)
    assert store.outcomes(run.id) == {}


@pytest.mark.parametrize(
    "line", ["1 known failure, from the lists of 6.1.42", "0 known failures found for 6.1.192\x1b[31m"]
)
def test_where_the_known_failures_are_from_is_in_every_report(store: Store, tmp_path: Path, line: str) -> None:
    of = [SimpleNamespace(name="fstests", tests=[PlannedTest(FINE, 60)], record={}, known_from=line), suites()[1]]
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(tmp_path), **known_record(lab("run"), of)}
    run = store.run(store.create_run("xfs", [PlannedRow(FINE, 60)], record))
    verdict, said = judge(store, run), f"fstests: {line.removesuffix(chr(27) + '[31m')}"
    assert said in summary_text(run, verdict).splitlines()
    assert said in mail(run, verdict).splitlines()
    assert summary_json(run, verdict)["known_from"] == [said]


def test_a_suite_without_lists_says_nothing_of_them(store: Store, tmp_path: Path) -> None:
    without = SimpleNamespace(name="fstests", tests=[PlannedTest(FINE, 60)], record={}, known_from="")
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(tmp_path), **known_record(lab("run"), [without])}
    run = store.run(store.create_run("xfs", [PlannedRow(FINE, 60)], record))
    assert "known failure" not in summary_text(run, judge(store, run))


def test_skip_leaves_out_every_repeat_and_nothing_of_other_suites(store: Store, tmp_path: Path) -> None:
    run = begun(store, "skip", tmp_path)
    leave_out(store, run)
    assert store.outcomes(run.id) == {test: Outcome(S.SKIP, reason=f"known failure: {WHY}") for test in (FLAKY, TWICE)}
    assert left_out(run, store.outcomes(run.id)) == {FLAKY, TWICE}
    leave_out(store, run)  # a resumed run
    assert store.pending(run.id) == (FINE, FUTEX)


def test_a_stored_run_is_judged_by_what_its_record_knows(store: Store, tmp_path: Path) -> None:
    run = begun(store, "run", tmp_path)
    save(tmp_path, Baseline("6.1", {KEY: Table("6.1", {FINE.name: Entry(Counts({S.PASS: 3}))})}))
    for test, status in {FLAKY: S.PASS, TWICE: S.FAIL, FINE: S.PASS, FUTEX: S.PASS}.items():
        store.ended(run.id, test, Outcome(status))
    verdicts = {each.test: each.verdict for each in judge(store, store.run(run.id)).tests}
    assert verdicts == {
        FLAKY: Verdict.KNOWN_FAILURE,
        TWICE: Verdict.KNOWN_FAILURE,
        FINE: Verdict.OK,
        FUTEX: Verdict.FIXED,
    }


def test_a_run_from_before_there_were_expunge_lists_is_judged_as_ever(store: Store, tmp_path: Path) -> None:
    record = {"kernel": {"release": "6.1.11"}, "baseline": str(tmp_path)}
    run = store.create_run("xfs", [PlannedRow(FLAKY, 60)], record)
    assert [each.verdict for each in judge(store, store.run(run)).tests] == [Verdict.MISSING]
