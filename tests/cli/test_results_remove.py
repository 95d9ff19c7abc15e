"""`kdevops results remove`: room, and never a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from kdevops.run.lock import lab_lock
from tests.cli.said import told

TEST = TestId("commands", "default", "one")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(*, finish: bool = True, decides: int | None = None, **more: int) -> Path:
    """A run of lab demo with output, and where that is."""
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(Path("baselines").absolute()), **more}
    with Store(Dirs.default().state) as store:
        run = store.create_run("demo", [PlannedRow(TEST, 60)], record, decides=decides)
        store.started(run, TEST, "demo-1")
        if finish:
            store.ended(run, TEST, Outcome(Status.FAIL, 1.0, output="commands/default/one.log"))
            store.finish(run)
    output = Dirs.default().run(run) / "commands/default/one.log"
    output.parent.mkdir(parents=True)
    output.write_text("it printed this\n" * 1000)
    return output


def test_output_goes_and_results_stay(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stored(), stored()
    assert f"Test output is in {Dirs.default().run(1)}" in told(capsys, "results", "1", code=4)
    assert told(capsys, "results", "remove", "1", "--yes") == "run 1: 16 KiB of output removed; its results are kept\n"
    assert not Dirs.default().run(1).exists()
    assert not first.exists()
    assert second.exists()
    said = told(capsys, "results", "1", code=4)
    assert "commands/default/one" in said
    assert str(Dirs.default().run(1)) not in said
    assert "its output was removed" in told(capsys, "results", "1", "--test", "one")
    assert "run 1 has no output" in told(capsys, "results", "remove", "1", "--yes")
    fact = json.loads(told(capsys, "results", "remove", "1", "2", "--yes", "--json"))
    assert [(each["id"], each["bytes"] > 0) for each in fact] == [(1, False), (2, True)]


def test_the_output_of_runs_that_help_to_decide_goes_too(capsys: pytest.CaptureFixture[str]) -> None:
    stored(), stored(decides=1)
    told(capsys, "results", "remove", "1", "--yes")
    assert not Dirs.default().run(1).exists()
    assert not Dirs.default().run(2).exists()


def test_nothing_goes_unless_somebody_agrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = stored()
    assert "--yes" in told(capsys, "results", "remove", "1", code=2)
    assert output.exists()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert told(capsys, "results", "remove", "1") == "nothing was removed\n"
    assert output.exists()
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    told(capsys, "results", "remove", "1")
    assert not output.exists()


def test_one_that_is_refused_keeps_all(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [stored(), stored(), stored(finish=False)]
    with lab_lock(Dirs.default().lab("demo"), "demo", "run"):
        assert "run 3 has not ended, and its lab demo is in use" in told(
            capsys, "results", "remove", "1", "3", "--yes", code=2
        )
    assert "no run 9 in" in told(capsys, "results", "remove", "1", "9", "--yes", code=2)
    assert all(output.exists() for output in outputs)
    told(capsys, "results", "remove", "3", "--yes")  # what was killed, or interrupted, may go
    assert [output.exists() for output in outputs] == [True, True, False]


def test_what_a_later_run_is_compared_with_stays(capsys: pytest.CaptureFixture[str]) -> None:
    stored()
    stored(compared_with=1)
    error = told(capsys, "results", "remove", "1", "--yes", code=2)
    assert "run 2 is compared with run 1" in error
    assert "kdevops results remove 1 2" in error
    told(capsys, "results", "remove", "2", "--yes")
    told(capsys, "results", "remove", "1", "--yes")
    assert not any(Dirs.default().run(number).exists() for number in (1, 2))


def test_both_of_two_that_are_compared_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    stored()
    stored(compared_with=1)
    told(capsys, "results", "remove", "1", "2", "1", "--yes")
    assert not any(Dirs.default().run(number).exists() for number in (1, 2))


def test_a_link_is_not_followed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = stored()
    elsewhere = tmp_path / "elsewhere"
    Dirs.default().run(1).rename(elsewhere)
    Dirs.default().run(1).symlink_to(elsewhere)
    assert main(["results", "remove", "1", "--yes"]) == 3
    assert "cannot be removed" in capsys.readouterr().err
    assert (elsewhere / output.relative_to(Dirs.default().run(1))).exists()
