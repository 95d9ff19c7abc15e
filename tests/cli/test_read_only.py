"""A store that cannot be written can be looked at, and nothing is made beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.results import database
from kdevops.results.listing import listed
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from tests.cli.said import told

COMMANDS = [
    ["results"],
    ["results", "1"],
    ["results", "1", "--test", "generic/001"],
    ["results", "history", "generic/001"],
    ["results", "check"],
]
CODES = [0, 4, 0, 0, 0]
TEST = TestId("fstests", "xfs", "generic/001")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Store(Dirs.default().state) as store:
        record = {"kernel": {"release": "6.1.192"}, "baseline": str(tmp_path / "baselines")}
        run = store.create_run("xfs", [PlannedRow(TEST, 60)], record)
        store.ended(run, TEST, Outcome(Status.FAIL, 1.0, "bad"))
        store.finish(run)
        return store.path


@pytest.fixture
def read_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As for somebody who may not write there, which root always may."""
    access = os.access

    def denied(where: Path, mode: int) -> bool:
        return access(where, mode) and not (mode & os.W_OK and Path(where) in {path, path.parent})

    monkeypatch.setattr(os, "access", denied)
    return path


def beside(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*")}


def test_it_answers_as_before_and_makes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    usual = [told(capsys, *command, code=code) for command, code in zip(COMMANDS, CODES, strict=True)]
    with Store(path.parent) as store:
        store.create_run("xfs", [PlannedRow(TEST, 60)], {})  # the verdict that would be kept is one more write
    before = beside(path)
    request.getfixturevalue("read_only")
    again = [told(capsys, *command, code=code) for command, code in zip(COMMANDS, CODES, strict=True)]
    assert again[1:4] == usual[1:4]
    assert beside(path) == before


def test_it_cannot_be_written(read_only: Path) -> None:
    with Store(read_only.parent) as store, pytest.raises(InfrastructureError, match="is not writable"):
        store.create_run("xfs", [PlannedRow(TEST, 60)], {})


def test_one_of_a_newer_kdevops_says_so(read_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(read_only)) as raw:
        raw.execute("PRAGMA user_version = 99")
    assert "was written by a newer kdevops" in told(capsys, "results", code=2)


def test_one_of_an_older_kdevops_is_migrated_in_memory(
    path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:4])
        database.connect(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO run VALUES (1, 'xfs', 'running', '2026', NULL, '{}', NULL)")
        raw.commit()
    before = beside(path)
    request.getfixturevalue("read_only")
    with Store(path.parent) as store:
        assert [run.id for run in listed(store)] == [1]
        with pytest.raises(InfrastructureError, match="is not writable"):
            store.interrupt(1)
    assert beside(path) == before
    monkeypatch.setattr(database, "MAX_COPY", 10)
    with pytest.raises(InfrastructureError, match="written by an older kdevops"):
        Store(path.parent)


def test_what_is_only_in_the_log_is_not_left_out(path: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with Store(path.parent) as store:
        store.create_run("ext4", [PlannedRow(TEST, 60)], {})
        kept = {each: (tmp_path / each.name) for each in path.parent.glob(f"{path.name}*")}
        for each, copy in kept.items():
            shutil.copy(each, copy)
    for each, copy in kept.items():
        shutil.copy(copy, each)
    assert path.with_name(f"{path.name}-wal").stat().st_size
    request.getfixturevalue("read_only")
    with Store(path.parent) as store:
        assert [run.lab for run in listed(store)] == ["ext4", "xfs"]


def test_what_is_written_meanwhile_is_noticed(read_only: Path) -> None:
    with Store(read_only.parent) as store:
        assert len(listed(store)) == 1
        with closing(sqlite3.connect(read_only)) as raw:
            raw.execute("UPDATE run SET lab = 'y'")
            raw.commit()
        with pytest.raises(InfrastructureError, match="was written while it was read"):
            listed(store)


MOUNTED = """
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
shift
if touch "$1/x" 2>/dev/null; then exit 9; fi
for command in "results" "results 1" "results history generic/001"; do
    "$2" -m kdevops $command --state "$1" && code=0 || code=$?
    echo "exit $code"
done
"""


def test_on_a_file_system_that_is_read_only(path: Path, tmp_path: Path) -> None:
    place = path.parent
    try:
        subprocess.run(["unshare", "-m", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespaces here")
    argv = ["unshare", "-m", "sh", "-c", MOUNTED, "sh", place, place, sys.executable]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stdout.count("exit 0") == 2, ran.stderr
    assert ran.stdout.count("exit 4") == 1, ran.stderr
    assert "new failure since run 1" in ran.stdout
    assert [each.name for each in place.glob(f"{path.name}*")] == [path.name]
