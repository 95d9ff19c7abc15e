"""Rebuild a damaged store from what can be read of it: run by run, and where a run is damaged, test by test.

A run whose row, record or plan cannot be read is left out. A test whose outcome, subtests or kernel reports cannot be read
whole is `missing` in a run that has ended, and runs again in one that has not. Nothing is guessed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import fsync_dir
from kdevops.results import database
from kdevops.results.model import Outcome, Status
from kdevops.results.reading import Reading, Run
from kdevops.results.rows import check_digest, write_outcome
from kdevops.results.sqlite import over
from kdevops.results.store import kernel_in, moments_in

LOST = "the store was damaged, and its result is lost"
_PLAN = "SELECT * FROM planned WHERE run = :run"
# The unique index has all of a plan but for its order and times, which matter to nobody once the run has ended.
_PLAN_BY_INDEX = (
    "SELECT id, run, id, suite, profile, name, 300.0, NULL FROM planned INDEXED BY sqlite_autoindex_planned_2"
    " WHERE run = :run"
)
_OF_RUN = {
    "outcome": "SELECT * FROM outcome WHERE planned IN (SELECT id FROM planned WHERE run = :key)",
    "subtest": "SELECT * FROM subtest WHERE planned IN (SELECT id FROM planned WHERE run = :key)",
    "report": "SELECT * FROM report WHERE planned IN (SELECT id FROM planned WHERE run = :key)",
}
_OF_TEST = {
    "outcome": "SELECT * FROM outcome WHERE planned = :key",
    "subtest": "SELECT * FROM subtest WHERE planned = :key",
    "report": "SELECT * FROM report WHERE planned = :key",
}
_COUNT = (
    "INSERT INTO total SELECT run, status, count(*)"
    " FROM planned JOIN outcome ON outcome.planned = planned.id GROUP BY run, status"
)
_TESTS = "INSERT INTO test SELECT DISTINCT suite, profile, name FROM planned"
_NOTE = (
    "INSERT INTO journal (run, at, kind, planned, guest, text) VALUES (:run, :at, 'infrastructure', NULL, '', :text)"
)
_Rows = list[tuple[Any, ...]]


def repair(path: Path, now: datetime | None = None) -> tuple[Path, list[str]]:
    """Replace the store by what can be read of it; return where the damaged file is now, and what was lost, in words.

    No other process may use the store. Raises InfrastructureError, and changes nothing, if nothing of it can be read.
    """
    aside = path.with_name(f"{path.name}.damaged-{now or datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    rebuilt = path.with_name(f"{path.name}.rebuilt")
    with Reading(path.parent):
        pass  # whoever closes it last writes its log back
    if (log := path.with_name(f"{path.name}-wal")).exists() and log.stat().st_size:
        raise InfrastructureError(
            f"{path} is in use, or its log cannot be written back", hint=f"end the processes of: fuser {path}"
        )
    for name in ("", "-wal", "-shm"):
        rebuilt.with_name(rebuilt.name + name).unlink(missing_ok=True)
    with Reading(path.parent) as old:
        lost = _rebuild(old, rebuilt)
    os.link(path, aside)
    rebuilt.replace(path)  # at no time is there no store
    fsync_dir(path.parent)
    return aside, lost


def _rebuild(old: Reading, rebuilt: Path) -> list[str]:
    found = old.query("SELECT seq FROM sqlite_sequence WHERE name = 'run'")
    newest = int(found[0][0]) if found else 0
    lost: dict[int, str] = {}
    with closing(database.connect(rebuilt)) as new:
        with database.transaction(new, rebuilt):
            there: set[int] = set()
            for number in range(1, newest + 1):
                if told := _run(old, new, number, there):
                    lost[number] = told
            for number in there & lost.keys():  # now that all of the journal has its numbers
                new.execute(_NOTE, {"run": number, "at": _now(), "text": f"the store was damaged; {lost[number]}"})
            for statement in (_COUNT, _TESTS):
                new.execute(statement)
            new.execute("DELETE FROM sqlite_sequence WHERE name = 'run'")
            new.execute("INSERT INTO sqlite_sequence VALUES ('run', ?)", (newest,))  # no number is given twice
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return list(lost.values())


def _read(what: Callable[[], _Rows]) -> _Rows | None:
    """What can be read; None if it is damaged."""
    try:
        return what()
    except (InfrastructureError, ValueError, TypeError):
        return None


def _insert(new: sqlite3.Connection, table: str, rows: _Rows) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        new.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of ours


def _run(old: Reading, new: sqlite3.Connection, number: int, there: set[int]) -> str:
    """Copy a run, unless it is damaged, or decides one that is; return what of it is lost."""
    try:
        run = old.run(number)
    except UserError:
        return ""  # there is none
    except InfrastructureError:
        return f"run {number} is lost"
    row = _read(lambda: old.query("SELECT * FROM run WHERE id = :run", run=number))
    in_order = _read(lambda: _plan(old, number, _PLAN))
    plan = in_order or _read(lambda: _plan(old, number, _PLAN_BY_INDEX))
    if not row or not plan or not {run.decides or number} <= there | {number}:
        return f"run {number} is lost"
    there.add(number)
    _insert(new, "run", row)
    _insert(new, "planned", plan)
    goes_on = run.ended is None and in_order is not None
    lost = [] if in_order else ["the order of its tests"]
    if gone := _results(old, new, plan, run, goes_on=goes_on):
        lost.append(f"{gone} results")
    for table, what in {"journal": "its journal", "evidence": "the baseline by which it was judged"}.items():
        if (rows := _read(lambda table=table: _beside(old, number, table))) is None:  # type: ignore[misc]
            lost.append(what)
        else:
            _insert(new, table, rows)
    _summary(old, new, run, len(plan), whole=not lost)
    if not lost:
        return ""
    if not goes_on and (gone or not in_order):
        ended = run.ended or _now()
        new.execute("UPDATE run SET state = 'incomplete', ended = ? WHERE id = ?", (ended, number))
    return f"lost of run {number}: {', '.join(lost)}"


def _plan(old: Reading, number: int, statement: str) -> _Rows:
    rows = old.query(statement, run=number)
    kept = old.query("SELECT planned FROM summary WHERE run = :run", run=number)
    if kept and kept[0][0] != len(rows):
        raise ValueError("the plan is not whole")
    return rows


def _results(old: Reading, new: sqlite3.Connection, plan: _Rows, run: Run, *, goes_on: bool) -> int:
    """Copy the outcomes of a run with all that belongs to them; return how many are lost."""
    damaged: list[int] = []
    whole = _of(old, _OF_RUN, run.id)
    if whole is not None:
        _insert_all(new, whole)
    else:
        for test, *_ in plan:
            if (one := _of(old, _OF_TEST, test)) is None:
                damaged.append(test)
            else:
                _insert_all(new, one)
    if goes_on:
        return len(damaged)  # they run again
    lacking = new.execute(
        "SELECT id FROM planned WHERE run = ? AND id NOT IN (SELECT planned FROM outcome) ORDER BY position", (run.id,)
    ).fetchall()
    sql = over(new, old.path)
    for (test,) in lacking:
        write_outcome(sql, test, Outcome(Status.MISSING, reason=LOST))
    return len(lacking)


def _of(old: Reading, statements: Mapping[str, str], key: int) -> Mapping[str, _Rows] | None:
    try:
        found = {table: old.query(statement, key=key) for table, statement in statements.items()}
        for row in found["outcome"]:
            check_digest(row[9], "an outcome", *row[3:7])
        for row in found["report"]:
            check_digest(row[7], "a kernel report", *row[2:5], row[6])
    except (InfrastructureError, ValueError, TypeError):
        return None
    return found


def _insert_all(new: sqlite3.Connection, found: Mapping[str, _Rows]) -> None:
    for table, rows in found.items():
        _insert(new, table, rows)


def _beside(old: Reading, number: int, table: str) -> _Rows:
    if table == "journal":
        return old.query("SELECT * FROM journal WHERE run = :run ORDER BY id", run=number)
    old.evidence(number)  # raises if it is damaged
    return old.query("SELECT * FROM evidence WHERE run = :run", run=number)


def _summary(old: Reading, new: sqlite3.Connection, run: Run, planned: int, *, whole: bool) -> None:
    """What was kept of a run that is whole; else without the verdict, which has to be judged anew."""
    kept = _read(lambda: old.query("SELECT * FROM summary WHERE run = :run", run=run.id)) if whole else None
    _insert(new, "summary", kept or [(run.id, planned, kernel_in(run.record), None, "", moments_in(run.record))])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
