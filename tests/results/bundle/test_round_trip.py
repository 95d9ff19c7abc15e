"""What is exported is the same in another store, and the same run wherever it comes from."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.baselines.old_marks import mark_of
from kdevops.results.check import problems
from kdevops.results.imported import is_bundled
from kdevops.results.model import Outcome, Status
from kdevops.results.reruns import decided
from kdevops.results.store import Store
from tests.results.bundle.bundled import (
    BAD,
    BEFORE,
    BOOTLESS,
    ELSEWHERE,
    GOOD,
    IMPORTED_RUN,
    SECRET,
    UNDER_TEST,
    exported,
    filled,
    imported,
    outcomes,
    record,
    rows,
    stored_run,
)  # fmt: skip

ALL = (BEFORE, UNDER_TEST, BOOTLESS, IMPORTED_RUN, ELSEWHERE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """One in a file."""
    with monkeypatch.context() as alone:
        alone.delenv("KDEVOPS_STORE", raising=False)
        store = filled(tmp_path / "home")
    with store:
        yield store


@pytest.fixture
def away(tmp_path: Path, store_url: str) -> Iterator[Store]:
    """One in a file, or of a team."""
    with Store(tmp_path / "away") as store:
        yield store


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "runs.bundle"


def content(store: Store, number: int) -> tuple[object, ...]:
    """All of a run but numbers, and what of its record stays at home."""
    run = store.run(number)
    evidence = store.evidence(number)
    directory = store.path.parent / "runs" / str(number)
    files = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    journal = [replace(each, text=each.text.replace(f"u:{SECRET}", "***")) for each in store.journal(number)]
    return (
        replace(run, id=0, record={}, decides=None), store.plan(number), store.outcomes(number), journal,
        evidence, files, store.counts(number, number).get(number),
    )  # fmt: skip


def test_a_run_is_the_same_elsewhere_with_all_that_belongs_to_it(home: Store, away: Store, bundle: Path) -> None:
    stored_run(away, record("other"), {GOOD: Outcome(Status.PASS)})
    done = exported(home, bundle, UNDER_TEST)
    assert (done.runs, done.files, done.left_out) == ((1, 2, 3, 4), 4, 0)
    taken = imported(away, bundle)
    assert [(each.run, each.lab, each.already, each.tests, each.reruns) for each in taken] == [
        (2, "demo", False, 3, 0), (3, "demo-dev", False, 3, 2),
    ]  # fmt: skip
    for number in done.runs:
        assert content(home, number) == content(away, number + 1)
    assert away.run(3).record["compared_with"] == 2
    assert [each.id for each in away.deciding(3)] == [4, 5]
    assert decided(away, away.run(3)) == decided(home, home.run(2)) != {}
    assert problems(away) == []
    assert is_bundled(away.run(2))
    assert not is_bundled(home.run(1))


def test_all_kinds_of_runs(home: Store, away: Store, bundle: Path) -> None:
    exported(home, bundle, *ALL)
    assert [each.run for each in imported(away, bundle)] == [1, 2, 5, 6, 7]
    for number in range(1, 8):
        assert content(home, number) == content(away, number)
        theirs, here = home.run(number), away.run(number)
        assert mark_of(theirs, home.outcomes(number)) == mark_of(here, away.outcomes(number))
    assert away.run(BOOTLESS).record["boot_failure"]["booted"] == 1
    assert (away.path.parent / "runs/5/boot-failure/demo-1.console").read_text() == "kernel BUG at foo.c\n"


def test_a_run_that_is_not_in_the_bundle_is_not_named(home: Store, away: Store, bundle: Path) -> None:
    exported(home, bundle, BOOTLESS)
    imported(away, bundle)
    assert away.run(1).record["boot_failure"]["booted"] is None


def test_the_same_runs_give_the_same_bytes(home: Store, away: Store, bundle: Path, tmp_path: Path) -> None:
    exported(home, bundle, *ALL)
    again = tmp_path / "again"
    exported(home, again, *reversed(ALL), UNDER_TEST)
    assert bundle.read_bytes() == again.read_bytes()
    stored_run(away, record("other"), {GOOD: Outcome(Status.PASS)})
    imported(away, bundle)
    exported(away, again, 2, 3, 6, 7, 8)
    assert bundle.read_bytes() == again.read_bytes()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"runs.bundle", "again"}


def test_a_run_is_taken_once_and_known_when_it_comes_home(
    home: Store, away: Store, bundle: Path, tmp_path: Path
) -> None:
    exported(home, bundle, *ALL)
    first = imported(away, bundle)
    again = imported(away, bundle)
    assert [(each.run, each.already) for each in again] == [(each.run, True) for each in first]
    assert len(away.runs()) == 5
    back = tmp_path / "back"
    exported(away, back, *(each.run for each in first))
    assert all(each.already for each in imported(home, back))
    assert len(home.runs()) == 5


def test_only_what_is_new_is_taken(home: Store, away: Store, bundle: Path) -> None:
    exported(home, bundle, BEFORE)
    imported(away, bundle)
    exported(home, bundle, UNDER_TEST)
    assert [(each.run, each.already) for each in imported(away, bundle)] == [(1, True), (2, False)]
    assert away.run(2).record["compared_with"] == 1


def test_reruns_that_are_missing_here_are_told(home: Store, away: Store, bundle: Path) -> None:
    exported(home, bundle, UNDER_TEST)
    imported(away, bundle)
    stored_run(home, record("demo-dev") | {"side": "now", "turn": 2}, {BAD: outcomes()[BAD]}, decides=UNDER_TEST)
    exported(home, bundle, UNDER_TEST)
    assert [(each.already, each.more) for each in imported(away, bundle)] == [(True, False), (True, True)]


def test_imported_results_are_the_same_whoever_imported_them(home: Store, away: Store, bundle: Path) -> None:
    exported(home, bundle, IMPORTED_RUN)
    told = home.run(IMPORTED_RUN)
    stored_run(away, dict(told.record), outcomes())  # at another moment
    assert [(each.run, each.already) for each in imported(away, bundle)] == [(1, True)]


def test_no_secret_leaves(home: Store, bundle: Path) -> None:
    exported(home, bundle, *ALL)
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert SECRET in str(home.run(UNDER_TEST).record)
    assert [name for name, text in texts.items() if SECRET in text or "/home/me" in text] == []
    assert "https://***@example.org/linux.git" in texts["runs/0/run.json"]


@pytest.mark.parametrize(
    ("number", "said"), [(3, "run 3 helps to decide run 2"), (8, "run 8 is not over"), (9, "no run 9")]
)
def test_runs_that_cannot_be_exported(home: Store, bundle: Path, number: int, said: str) -> None:
    home.create_run("demo", rows(GOOD), record())
    with pytest.raises(UserError, match=said):
        exported(home, bundle, number)
    assert not bundle.exists()


def test_a_decision_that_is_not_over(home: Store, bundle: Path) -> None:
    home.create_run("demo", rows(GOOD), record(), decides=UNDER_TEST)
    with pytest.raises(UserError, match="run 8 is not over") as told:
        exported(home, bundle, UNDER_TEST)
    assert told.value.hint == "go on with it first: kdevops decide 2"


def test_files_that_no_bundle_may_have_stay_at_home(home: Store, bundle: Path) -> None:
    directory = home.path.parent / "runs/7"
    directory.mkdir()
    (directory / "fine").write_text("x")
    (directory / "link").symlink_to("/etc/passwd")
    (directory / "folder").symlink_to("/etc")
    os.mkfifo(directory / "fifo")
    (directory / "bad\x1bname").write_text("x")
    done = exported(home, bundle, ELSEWHERE)
    assert (done.files, done.left_out) == (1, 4)


def test_a_record_that_nobody_would_read(home: Store, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdevops.results.bundle.outgoing.MAX_TEXT", 100)
    with pytest.raises(UserError, match="run 7 cannot be exported"):
        exported(home, bundle, ELSEWHERE)
    assert not bundle.exists()


def test_a_place_that_cannot_be_written(home: Store, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot write"):
        exported(home, tmp_path / "nowhere/x", BEFORE)
