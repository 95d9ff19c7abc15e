"""`kdevops results history`: what became of a test over all runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from tests.cli.said import told

S = Status


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(kernel: str = "6.1.1", lab: str = "xfs", decides: int | None = None, **tests: Status) -> None:
    with Store(Dirs.default().state) as store:
        ids = {TestId("fstests", "xfs", f"generic/{name[1:]}"): status for name, status in tests.items()}
        plan = [PlannedRow(test, 60) for test in ids]
        number = store.create_run(lab, plan, {"kernel": {"release": kernel}}, decides=decides)
        for test, status in ids.items():
            store.ended(number, test, Outcome(status, reason="bad\x1b[2J" if status.is_bad else ""))
        store.finish(number)


def test_a_regression_is_told_from_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    run("6.1.1", t001=S.PASS)
    run("6.1.2", t001=S.FAIL)
    run("6.1.2", t001=S.PASS, decides=2)
    run("6.1.3", t001=S.FAIL)
    with Store(Dirs.default().state) as store:
        day = store.run(1).created[:10]
    assert told(capsys, "results", "history", "generic/001").splitlines() == [
        f"fstests/xfs/generic/001 in lab xfs: still failing since run 2; last passed in run 1, {day}, 6.1.1",
        f"  began to fail in run 2, {day}, 6.1.2, after run 1 passed",
        "  passes by kernel, of the times that it ran (95 % interval):",
        "    6.1.3             0 of 1 (0%-79%)",
        "    6.1.2             1 of 2 (9%-91%)",
        "    6.1.1             1 of 1 (21%-100%)",
        "  failures, newest first:",
        f"    failed in 2 runs since run 2, {day}, 6.1.2; passed in run 1; not fixed",
        "  results, newest first:",
        f"    run 4, {day}, 6.1.3: fail, bad",
        f"    run 2, {day}, 6.1.2: fail, bad",
        f"    run 1, {day}, 6.1.1: pass",
    ]
    (fact,) = json.loads(told(capsys, "results", "history", "generic/001", "--json"))
    assert (fact["state"], fact["began"]["run"], fact["last_passed"]["run"]) == ("still failing", 2, 1)
    assert [(each["kernel"], each["passes"], each["runs"]) for each in fact["kernels"]][1] == ("6.1.2", 1, 2)
    assert fact["failures"][0]["fixed"] is None


def test_it_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        run(f"6.1.{number}", t001=S.FAIL if number % 2 else S.PASS)
    said = told(capsys, "results", "history", "generic/001")
    assert "    and 5 runs more, listed by --limit 0\n" in said
    assert "    and 15 more: --json\n" in said
    assert "    and 2 more: --json\n" in said
    (fact,) = json.loads(told(capsys, "results", "history", "generic/001", "--json"))
    assert (len(fact["results"]), fact["more"], len(fact["kernels"]), len(fact["failures"])) == (20, 5, 25, 12)
    assert "listed by" not in told(capsys, "results", "history", "generic/001", "--limit", "0")


def test_several_matches_are_a_line_each_and_labs_are_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    run(t001=S.PASS, t002=S.SKIP)
    run(lab="ext4", t001=S.FAIL)
    lines = told(capsys, "results", "history", "generic").splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "fstests/xfs/generic/001 in lab ext4: new failure since run 2",
        "fstests/xfs/generic/001 in lab xfs: passes",
        "fstests/xfs/generic/002 in lab xfs: never ran",
    ]
    assert "in lab xfs" not in told(capsys, "results", "history", "generic/001", "--lab", "ext4")
    assert "no test generic/01x; nearest of 2 names: " in told(capsys, "results", "history", "generic/01x", code=2)
    assert "no run of a lab 'btrfs'" in told(capsys, "results", "history", "generic", "--lab", "btrfs", code=2)
    assert "no result yet in lab ext4" in told(capsys, "results", "history", "generic/002", "--lab", "ext4", code=2)


def test_of_very_many_matches_the_first_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(**{f"t{number:03}": S.PASS for number in range(60)})
    assert main(["results", "history", "generic"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 50
    assert said.err == "and 10 more tests match: give more of the name\n"


def test_with_nothing_stored_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no test generic/001; and none of 0 names is similar" in told(
        capsys, "results", "history", "generic/001", code=2
    )
