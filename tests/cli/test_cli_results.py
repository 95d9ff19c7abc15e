"""`kdevops results` on runs that are in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.places import Places

S = Status


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(outcomes: dict[str, Outcome], *, finish: bool = True, planned: tuple[str, ...] = ()) -> int:
    """A run of lab xfs whose tests, named profile/group/number, ended so; `planned` ones did not end."""
    ids = {name: TestId("fstests", *name.split("/", 1)) for name in (*outcomes, *planned)}
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(Path("baselines").absolute())}
    with Store(Places.default().state) as store:
        run = store.create_run("xfs", [PlannedRow(test, 60) for test in ids.values()], record)
        for name, outcome in outcomes.items():
            store.started(run, ids[name], "xfs-1")
            store.ended(run, ids[name], outcome)
        if finish:
            store.finish(run)
    return run


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.err if code == 2 else captured.out


@pytest.mark.parametrize(("kind", "begins"), [("junit", "<?xml"), ("ktap", "KTAP version 1"), ("mail", "1 test of 1")])
def test_a_format_without_a_run_is_that_of_the_last_that_has_ended(
    capsys: pytest.CaptureFixture[str], kind: str, begins: str
) -> None:
    stored({"xfs_crc/generic/001": Outcome(S.PASS)})
    stored({"xfs_crc/generic/002": Outcome(S.FAIL)})
    stored({"xfs_crc/generic/003": Outcome(S.PASS)}, finish=False)
    assert main(["results", "--format", kind]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(begins)
    assert captured.out == told(capsys, "results", "2", "--format", kind, code=1)
    assert captured.err == "run 2 of lab xfs, the last that has ended\n"


def test_a_test_without_a_run_is_that_of_the_last_that_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no run that has ended" in told(capsys, "results", "--test", "generic/001", code=2)
    stored({"xfs_crc/generic/001": Outcome(S.FAIL, 2.0)})
    stored({}, finish=False, planned=("xfs_crc/generic/001",))
    assert told(capsys, "results", "--test", "generic/001").startswith("fstests/xfs_crc/generic/001: fail after 2.0 s")


@pytest.mark.parametrize("options", [["--format", "mail", "--json"], ["--format", "text", "--test", "generic/001"]])
def test_options_that_contradict_each_other_are_refused(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    stored({"xfs_crc/generic/001": Outcome(S.PASS)})
    error = told(capsys, "results", "1", *options, code=2)
    assert all(option in error for option in options if option.startswith("--"))


def test_the_help_tells_that_the_exit_code_is_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert "exits with the code of the run" in " ".join(told(capsys, "results", "show", "--help").split())
