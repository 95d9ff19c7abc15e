"""`kdevops results`: the list of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from tests.cli.said import told

TEST = TestId("fstests", "xfs", "generic/001")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(lab: str = "xfs", status: Status = Status.PASS) -> int:
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(Path("baselines").absolute())}
    with Store(Dirs.default().state) as store:
        number = store.create_run(lab, [PlannedRow(TEST, 60)], record)
        store.ended(number, TEST, Outcome(status))
        store.finish(number)
    return number


def numbers(capsys: pytest.CaptureFixture[str], *options: str) -> list[int]:
    return [each["id"] for each in json.loads(told(capsys, "results", "--json", *options))]


def test_it_is_bounded_and_tells_how_many_more_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(33):
        run()
    assert numbers(capsys) == list(range(33, 3, -1))
    assert main(["results"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 30
    assert said.err == "and 3 older runs: --limit 0 lists all\n"
    assert numbers(capsys, "--limit", "0") == list(range(33, 0, -1))
    assert numbers(capsys, "--limit", "2") == [33, 32]
    assert "--limit" in told(capsys, "results", "--limit", "-1", code=2)


def test_one_lab_is_listed_or_its_last_run_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for lab in ("xfs", "ext4", "xfs"):
        run(lab)
    assert numbers(capsys, "--lab", "xfs") == [3, 1]
    assert main(["results", "--lab", "ext4", "--format", "ktap"]) == 0
    assert capsys.readouterr().err == "run 2 of lab ext4, the last finished run\n"
    assert "no run of a lab 'ext3'; did you mean ext4?" in told(capsys, "results", "--lab", "ext3", code=2)
    assert "--lab" in told(capsys, "results", "1", "--lab", "xfs", code=2)
    assert "--limit" in told(capsys, "results", "1", "--limit", "3", code=2)


def test_the_verdict_is_that_of_the_last_time_it_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    run(status=Status.FAIL)
    assert json.loads(told(capsys, "results", "--json"))[0]["verdict"] is None
    told(capsys, "results", "1", code=4)
    (fact,) = json.loads(told(capsys, "results", "--json"))
    assert (fact["exit_code"], fact["verdict"], fact["planned"], fact["counts"]["fail"]) == (4, "undecided 1", 1, 1)
    assert told(capsys, "results").endswith("complete     exit 4: undecided 1; fail 1\n")
    known = Path("baselines/6.1/fstests/xfs.txt")
    known.parent.mkdir(parents=True)
    known.write_text("generic/001  fail=1\n")
    told(capsys, "results", "1", "--judge")  # for this once
    assert "exit 4" in told(capsys, "results")


def test_a_verdict_that_cannot_be_kept_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()

    def full(*_: object) -> None:
        from kdevops.errors import InfrastructureError

        raise InfrastructureError("disk full")

    monkeypatch.setattr(Store, "keep_verdict", full)
    assert "1 test that ran" in told(capsys, "results", "1")
