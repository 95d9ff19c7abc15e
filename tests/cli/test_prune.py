"""`kdevops results prune`: what is old goes for good, when it is confirmed, and nothing that is needed."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Store
from kdevops.run.dirs import Dirs
from kdevops.run.lock import lab_lock
from tests.cli.said import told
from tests.cli.test_results_remove import TEST, stored

OLD = ("results", "prune", "--older-than", "90d")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def known() -> None:
    """All failures so far are known: nothing is to be decided."""
    directory = Path("baselines/6.1/commands")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "default.txt").write_text("one  fail=20  1.0s\n")


def aged(*numbers: int) -> None:
    with closing(sqlite3.connect(Store(Dirs.default().state).path)) as raw:
        marks = ", ".join("?" * len(numbers))
        old = "replace(%s, '2026', '2024')"
        raw.execute(
            f"UPDATE run SET created = {old % 'created'}, ended = {old % 'ended'} WHERE id IN ({marks})", numbers
        )
        raw.commit()


def there() -> list[int]:
    with Store(Dirs.default().state) as store:
        return [each.id for each in store.runs()]


def three(capsys: pytest.CaptureFixture[str]) -> None:
    known()
    stored(), stored(), stored()
    aged(1, 2)
    for number in ("1", "2", "3"):
        main(["results", number])
    capsys.readouterr()


def test_what_would_go_is_said_and_stays_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    three(capsys)
    for more in ([], ["--dry-run"]):
        said = told(capsys, *OLD, *more)
        assert "run 1 of lab demo, 2024-" in said
        assert "2 runs, about" in said
        assert said.endswith("nothing was removed: confirm with --yes\n")
    assert there() == [3, 2, 1]


def test_they_go_with_yes(capsys: pytest.CaptureFixture[str]) -> None:
    three(capsys)
    data = json.loads(told(capsys, *OLD, "--yes", "--json"))
    assert [each["id"] for each in data["runs"]] == [1, 2]
    assert data["removed"] is True
    assert data["freed"] > 30_000
    assert there() == [3]
    assert not Dirs.default().run(1).exists()
    assert "is whole: 1 runs" in told(capsys, "results", "check")
    assert told(capsys, *OLD, "--yes") == "nothing to remove\n"
    assert "no run 1 in" in told(capsys, "results", "1", code=2)


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_it_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    three(capsys)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: answer)
    assert main([*OLD]) == 0
    captured = capsys.readouterr()
    assert "run 1 of lab demo" in captured.err
    assert captured.out.endswith("freed\n" if answer else "nothing was removed\n")
    assert there() == ([3] if answer else [3, 2, 1])


def test_a_failure_that_may_still_be_decided_keeps_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    stored(), stored()
    aged(1)
    said = told(capsys, *OLD, "--yes")
    assert "run 1 stays: 1 failure may still be decided: kdevops decide 1" in said
    assert there() == [2, 1]


def test_a_lab_in_use_keeps_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    three(capsys)
    with lab_lock(Dirs.default().lab("demo"), "demo", "run"):
        assert "run 1 stays: lab demo is in use" in told(capsys, *OLD, "--yes")
    assert there() == [3, 2, 1]
    told(capsys, *OLD, "--yes")
    assert there() == [3]


def test_a_run_that_is_not_over_stays(capsys: pytest.CaptureFixture[str]) -> None:
    known()
    stored(finish=False), stored()
    aged(1)
    assert "run 1 stays: it is not over" in told(capsys, *OLD, "--yes")
    assert there() == [2, 1]


def test_by_number_and_by_size(capsys: pytest.CaptureFixture[str]) -> None:
    three(capsys)
    assert "1 run, about" in told(capsys, "results", "prune", "--keep", "2")
    assert "nothing to remove" in told(capsys, "results", "prune", "--larger-than", "1GiB", "--yes")
    assert "2 runs, about" in told(capsys, "results", "prune", "--larger-than", "1KiB", "--yes")
    assert there() == [3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing says which runs to remove"),
        (["--older-than", "old"], "is not an age"),
        (["--larger-than", "20"], "is not a size"),
        (["--keep", "0"], "--keep"),
        (["--keep", "1", "--lab", "none"], "no run of a lab 'none'"),
        (["--keep", "1", "--dry-run", "--yes"], "contradict"),
    ],
)
def test_mistakes_are_explained(capsys: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    stored()
    assert said in told(capsys, "results", "prune", *options, code=2)


def test_a_run_that_is_stored_meanwhile_stops_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    three(capsys)
    monkeypatch.setattr("kdevops.results.pruning.newest", lambda _: 9)
    assert "stored meanwhile" in told(capsys, *OLD, "--yes", code=3)
    assert there() == [3, 2, 1]


def test_a_removal_that_was_killed_is_ended_without_any_limit(capsys: pytest.CaptureFixture[str]) -> None:
    three(capsys)
    left = Dirs.default().run(9) / "a.log"
    left.parent.mkdir()
    left.write_text("of a run that was removed")
    (Dirs.default().run(0).parent / ".pruned.json").write_text("[9]")
    assert told(capsys, "results", "prune", "--yes").startswith("removed; ")
    assert not left.exists()
    assert there() == [3, 2, 1]


def test_what_a_guest_calls_itself_is_shown_clean(capsys: pytest.CaptureFixture[str]) -> None:
    with Store(Dirs.default().state) as store:
        for _ in range(2):
            run = store.create_run("de\x1b[31mmo", stored_rows(), {"kernel": {"release": "6.1.192"}, "baseline": "x"})
            store.ended(run, TEST, Outcome(Status.PASS, 1.0))
            store.finish(run)
    assert "run 1 of lab demo" in told(capsys, "results", "prune", "--keep", "1")


def stored_rows() -> list:
    from kdevops.results.store import PlannedRow

    return [PlannedRow(TEST, 60)]
