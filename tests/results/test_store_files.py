"""The file of the store: of an older schema, killed while it is written, on a full disk, damaged."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import database
from kdevops.results.model import Outcome, RunState, Status
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import report, rows, tid

db = stored.file_db  # the fixture


def test_a_store_of_the_first_schema_is_opened_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
        database.connect(tmp_path / database.FILE_NAME).close()
    run_id = 1
    with sqlite3.connect(tmp_path / database.FILE_NAME) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
        raw.execute("INSERT INTO run (id, lab, state, created, record) VALUES (1, 'demo', 'running', '2026', '{}')")
        raw.executemany(
            "INSERT INTO planned (id, run, position, suite, profile, name, timeout) VALUES (?, 1, ?, ?, ?, ?, 30.0)",
            [
                (number, number, row.id.suite, row.id.profile, row.id.name)
                for number, row in enumerate(rows("a", "b"), 1)
            ],
        )
        raw.execute(
            "INSERT INTO outcome (planned, status, seconds, reason, output, oops, guest, subtests_cut)"
            " VALUES (1, 'pass', 2.5, '', 'a.log', 'WARNING: x', 'demo-1', 3)"
        )
    with Store(tmp_path) as db:
        old = Outcome(Status.PASS, 2.5, output="a.log", oops="WARNING: x", guest="demo-1", subtests_cut=3)
        assert db.outcomes(run_id) == {tid("a"): old}
        new = Outcome(Status.PASS, reports=(report("x"),), reports_cut=1)
        db.ended(run_id, tid("b"), new)
        assert db.outcomes(run_id)[tid("b")] == new
        assert db.finish(run_id) is RunState.COMPLETE


def test_history_is_the_median_of_what_ran_to_its_end(db: Store) -> None:
    for lab, status, seconds in [
        ("x", Status.PASS, 2.0),
        ("x", Status.FAIL, 4.0),
        ("x", Status.PASS, 9.0),
        ("x", Status.HANG, 900.0),
        ("x", Status.SKIP, 0.1),
        ("y", Status.PASS, 100.0),
    ]:
        db.ended(db.create_run(lab, rows("a", "b"), {}), tid("a"), Outcome(status, seconds=seconds))
    assert db.history("x", [tid("a"), tid("b")]) == {tid("a"): 4.0}
    assert db.history(None, [tid("a")]) == {tid("a"): 6.5}
    assert db.history("x", [tid("b")]) == {}


KILLED = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
tests = [TestId("s", "default", f"t{n}") for n in range(20000)]
db = Store(Path(sys.argv[1]))
run = db.create_run("demo", [PlannedRow(test, 1.0) for test in tests], {})
for test in tests:
    db.started(run, test, "g")
    db.ended(run, test, Outcome(Status.PASS, reason="r" * 400))
    print(test.name, flush=True)
"""


def test_sigkill_in_the_middle_of_writing_loses_nothing_committed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    told += child.stdout.read().split()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    with Store(tmp_path) as db:
        outcomes = db.outcomes(1)
        assert {tid.name for tid in outcomes} >= set(told)
        assert len(outcomes) - len(told) in {0, 1}
        assert len(db.in_flight(1)) <= 1
        assert len(outcomes) + len(db.pending(1)) == 20000
        db.started(1, db.pending(1)[0], "g")


WRITER = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Store
db = Store(Path(sys.argv[1]))
for test in db.pending(1):
    db.ended(1, test, Outcome(Status.PASS))
"""
READER = """
import sys
from pathlib import Path
from kdevops.results.store import Store
db, seen = Store(Path(sys.argv[1])), 0
while seen < 200:
    now = len(db.outcomes(1))
    assert now >= seen
    seen = now
"""


def test_others_read_while_one_writes(db: Store, tmp_path: Path) -> None:
    db.create_run("demo", rows(*(f"t{n}" for n in range(200))), {})
    children = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for code in (READER, READER, WRITER)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]


def test_a_full_disk_is_told_in_prose_and_loses_nothing_written(db: Store) -> None:
    run_id = db.create_run("demo", rows("a", "b"), {})
    db.ended(run_id, tid("a"), Outcome(Status.PASS))
    (pages,) = db._sql.connection.execute("PRAGMA page_count").fetchone()
    db._sql.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InfrastructureError, match="disk full") as caught:
        db.ended(run_id, tid("b"), Outcome(Status.FAIL, oops="x" * 60_000))
    assert "kdevops resume" in str(caught.value.hint)
    assert list(db.outcomes(run_id)) == [tid("a")]
    db._sql.connection.execute("PRAGMA max_page_count = 100000")
    db.ended(run_id, tid("b"), Outcome(Status.FAIL))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / database.FILE_NAME).write_bytes(b"not a database at all" * 500)
    with pytest.raises(InfrastructureError, match="is damaged") as caught:
        Store(tmp_path)
    assert "move the file away" in str(caught.value.hint)


def test_a_database_damaged_inside_is_named(tmp_path: Path) -> None:
    with Store(tmp_path) as db:
        db.create_run("demo", rows(*(f"t{n}" for n in range(500))), {})
    path = tmp_path / database.FILE_NAME
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with pytest.raises(InfrastructureError, match="is damaged"), Store(tmp_path) as db:
        db.pending(1)


def test_a_store_of_a_newer_kdevops_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / database.FILE_NAME) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="newer kdevops"):
        Store(tmp_path)


def test_an_old_store_is_migrated_and_keeps_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path) as db:
        db.create_run("demo", rows("a"), {})
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("ALTER TABLE run ADD COLUMN note TEXT",)))
    with Store(tmp_path) as db:
        assert db.query("SELECT note FROM run") == [(None,)]
        assert db.query("PRAGMA user_version") == [(len(database.MIGRATIONS),)]


def test_a_migration_that_fails_leaves_the_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).close()
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("DROP TABLE journal", "NO SQL")))
        with pytest.raises(InfrastructureError):
            Store(tmp_path)
    with Store(tmp_path) as db:
        assert db.query("PRAGMA user_version") == [(len(database.MIGRATIONS),)]
        db.create_run("demo", rows("a"), {})


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot create"):
        Store(tmp_path / "file" / "state")


def test_every_commit_waits_for_the_disk(db: Store) -> None:
    assert db.query("PRAGMA journal_mode") == [("wal",)]
    assert db.query("PRAGMA synchronous") == [(2,)]  # FULL
