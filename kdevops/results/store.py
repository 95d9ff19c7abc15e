"""The durable record of every run: its plan, its journal and the outcome of each test.

Every method that writes is one transaction and on disk when it returns, so being killed afterwards loses nothing.
A store belongs to the thread that opened it; any number of processes may have the same file open.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self, TypeAlias

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import database
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.rows import MAX_LINE, read_outcomes, write_outcome
from kdevops.text import clean

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

HISTORY_RUNS = 10
"""Runs used to estimate a test's duration."""
_OPEN = (RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED)
_RUN = "SELECT id, lab, state, created, ended, record, decides FROM run"


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One test of a plan. `timeout` and `expected` are in seconds; `expected` is None while unknown."""

    id: TestId
    timeout: float
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `created` and `ended` are UTC in ISO 8601; `record` is what is needed to run it again.

    `decides`: the run whose failures this one only repeats, to decide on them; None for a run of its own.
    """

    id: int
    lab: str
    state: RunState
    created: str
    ended: str | None
    record: Mapping[str, Any]
    decides: int | None = None


class Kind(StrEnum):
    """The kind of a journal entry."""

    CREATED = "created"
    STARTED = "started"
    ENDED = "ended"
    INFRASTRUCTURE = "infrastructure"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a run's journal; `at` is UTC in ISO 8601."""

    at: str
    kind: Kind
    test: TestId | None
    guest: str
    text: str


class Store:
    """All runs below one state directory, in its file `kdevops.sqlite`. A context manager.

    Raises UserError for a store written by a newer kdevops and for runs that do not exist; InfrastructureError, from any
    method, when the file is damaged, locked or not writable, or the disk is full.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / database.FILE_NAME
        self._connection = database.connect(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Not needed for durability."""
        self._connection.close()

    def create_run(
        self, lab: str, plan: Sequence[PlannedRow], record: Mapping[str, JSON], *, decides: int | None = None
    ) -> int:
        """Store a run with its whole plan and return its number. `decides`: see `Run`.

        Raises UserError for an empty plan, a test planned twice, or a name that is not printable.
        """
        _check_plan(plan)
        with database.transaction(self._connection, self.path) as sql:
            cursor = sql.execute(
                "INSERT INTO run (lab, state, created, record, decides) VALUES (?, ?, ?, ?, ?)",
                (lab, RunState.PLANNED, _now(), json.dumps(record), decides),
            )
            run_id = cursor.lastrowid
            assert run_id is not None
            sql.executemany(
                "INSERT INTO planned (run, position, suite, profile, name, timeout, expected)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (run_id, position, row.id.suite, row.id.profile, row.id.name, row.timeout, row.expected)
                    for position, row in enumerate(plan)
                ),
            )
            self._note(run_id, Kind.CREATED, text=f"{len(plan)} tests planned")
        return run_id

    def together(self) -> AbstractContextManager[object]:
        """All writes within the block are one transaction."""
        return database.transaction(self._connection, self.path)

    def run(self, run_id: int) -> Run:
        """The run with this number. Raises UserError when there is none."""
        there = abs(run_id) < 1 << 63  # else SQLite cannot be asked
        rows = self._query(f"{_RUN} WHERE id = ?", run_id if there else 0)
        if not rows:
            raise UserError(f"no run {run_id} in {self.path}", hint="list the runs with `kdevops results`")
        return _run(rows[0])

    def runs(self, lab: str | None = None) -> tuple[Run, ...]:
        """All runs, or all of one lab, newest first, but for those that only help to decide another."""
        rows = self._query(f"{_RUN} WHERE (lab = ?1 OR ?1 IS NULL) AND decides IS NULL ORDER BY id DESC", lab)
        return tuple(map(_run, rows))

    def deciding(self, run_id: int) -> tuple[Run, ...]:
        """The runs that repeat failures of this one to decide on them, oldest first."""
        return tuple(map(_run, self._query(f"{_RUN} WHERE decides = ? ORDER BY id", run_id)))

    def results_deciding(self, run_id: int) -> int:
        """How many results the runs have that repeat failures of this one."""
        rows = self._query(
            "SELECT count(*) FROM outcome JOIN planned ON planned.id = outcome.planned"
            " WHERE run IN (SELECT id FROM run WHERE decides = ?)",
            run_id,
        )
        return int(rows[0][0])

    def last_ended(self) -> Run | None:
        """The newest run that has ended, None when there is none."""
        rows = self._query(f"{_RUN} WHERE ended IS NOT NULL AND decides IS NULL ORDER BY id DESC LIMIT 1")
        return _run(rows[0]) if rows else None

    def plan(self, run_id: int) -> tuple[PlannedRow, ...]:
        """The planned tests, in order."""
        rows = self._query(
            "SELECT suite, profile, name, timeout, expected FROM planned WHERE run = ? ORDER BY position", run_id
        )
        return tuple(PlannedRow(TestId(*row[:3]), *row[3:]) for row in rows)

    def pending(self, run_id: int) -> tuple[TestId, ...]:
        """Planned tests without a status, in the plan's order, including those in flight."""
        rows = self._query(
            "SELECT suite, profile, name FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
            " WHERE run = ? AND status IS NULL ORDER BY position",
            run_id,
        )
        return tuple(TestId(*row) for row in rows)

    def in_flight(self, run_id: int) -> tuple[TestId, ...]:
        """Tests that were started but have no status, as after a killed controller."""
        rows = self._query(
            "SELECT suite, profile, name FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
            " WHERE run = ? AND status IS NULL AND planned.id IN"
            " (SELECT planned FROM journal WHERE run = ? AND kind = 'started') ORDER BY position",
            run_id,
            run_id,
        )
        return tuple(TestId(*row) for row in rows)

    def started(self, run_id: int, test: TestId, guest: str) -> None:
        """Record that a test is about to be given to a guest. Raises InfrastructureError if the run has ended."""
        with database.transaction(self._connection, self.path) as sql:
            if self._state(run_id) not in _OPEN:
                raise InfrastructureError(f"run {run_id} has ended: cannot start {test} in it")
            sql.execute("UPDATE run SET state = ? WHERE id = ?", (RunState.RUNNING, run_id))
            self._note(run_id, Kind.STARTED, planned=self._planned(run_id, test), guest=guest)

    def ended(self, run_id: int, test: TestId, outcome: Outcome) -> None:
        """Record a test's final outcome. Raises InfrastructureError if it already has one."""
        with database.transaction(self._connection, self.path):
            self._end(run_id, test, outcome)

    def left_out(self, run_id: int, reasons: Mapping[TestId, str]) -> None:
        """Record tests as skipped for the given reasons, without giving them to a guest, in one transaction.

        Raises InfrastructureError if one of them already has a status.
        """
        with database.transaction(self._connection, self.path):
            for test, reason in reasons.items():
                self._end(run_id, test, Outcome(Status.SKIP, reason=reason))

    def infrastructure(self, run_id: int, guest: str, text: str) -> None:
        """Record an infrastructure problem, which is not a test result: no boot, no ssh, a full disk."""
        with database.transaction(self._connection, self.path):
            self._note(run_id, Kind.INFRASTRUCTURE, guest=guest, text=text)

    def keep_evidence(self, run_id: int, source: str, files: bytes) -> None:
        """Keep the baseline by which a run is judged: where it is from, and its packed files, instead of what was kept."""
        with database.transaction(self._connection, self.path) as sql:
            sql.execute("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?)", (run_id, _now(), source, files))

    def evidence(self, run_id: int) -> tuple[str, str, bytes] | None:
        """When (UTC, ISO 8601) and from where the baseline of a run was kept, and its packed files; None if it was not."""
        rows = self._query("SELECT at, source, files FROM evidence WHERE run = ?", run_id)
        return rows[0] if rows else None

    def outcomes(self, run_id: int, *, brief: bool = False) -> Mapping[TestId, Outcome]:
        """The outcomes, in the plan's order; tests without a status are absent. For `brief` see `planned_outcomes`."""
        found = self.planned_outcomes(run_id, brief=brief)
        return {test: outcome for test, outcome in found.items() if outcome}

    def planned_outcomes(self, run_id: int, *, brief: bool = False) -> Mapping[TestId, Outcome | None]:
        """All planned tests, in order, each with its outcome; None while it has no status.

        `brief`: without subtests that went well, and without the text of kernel reports, except under crashes.
        """
        return read_outcomes(self._query, run_id, brief=brief)

    def counts(self) -> Mapping[int, Counts]:
        """How many tests ended how, by run; runs without any result are absent."""
        found: dict[int, dict[Status, int]] = defaultdict(dict)
        for run_id, status, number in self._query(
            "SELECT run, status, count(*) FROM planned JOIN outcome ON outcome.planned = planned.id GROUP BY run, status"
        ):
            found[run_id][Status.read(status)] = number
        return {run_id: Counts(table) for run_id, table in found.items()}

    def journal(self, run_id: int) -> tuple[Entry, ...]:
        """All journal entries, in order."""
        rows = self._query(
            "SELECT at, kind, suite, profile, name, guest, text FROM journal"
            " LEFT JOIN planned ON planned.id = journal.planned WHERE journal.run = ? ORDER BY journal.id",
            run_id,
        )
        return tuple(
            Entry(at, Kind(kind), TestId(suite, profile, name) if suite is not None else None, guest, text)
            for at, kind, suite, profile, name, guest, text in rows
        )

    def update_record(self, run_id: int, changes: Mapping[str, JSON]) -> None:
        """Replace these top-level keys of the run's record and keep the others."""
        with database.transaction(self._connection, self.path) as sql:
            record = {**self.run(run_id).record, **changes}
            sql.execute("UPDATE run SET record = ? WHERE id = ?", (json.dumps(record), run_id))

    def interrupt(self, run_id: int) -> None:
        """Mark the run as interrupted, so that it can be resumed; no effect if it has ended."""
        with database.transaction(self._connection, self.path) as sql:
            if self._state(run_id) in _OPEN:
                sql.execute("UPDATE run SET state = ? WHERE id = ?", (RunState.INTERRUPTED, run_id))
                self._note(run_id, Kind.INTERRUPTED)

    def finish(self, run_id: int) -> RunState:
        """End the run: every planned test without a status becomes `missing`, with the reason, all in one transaction.

        The state is COMPLETE when none is missing, else INCOMPLETE. Finishing again changes nothing.
        """
        with database.transaction(self._connection, self.path) as sql:
            state = self._state(run_id)
            if state not in _OPEN:
                return state
            rows = sql.execute(
                "SELECT planned.id, (SELECT guest FROM journal WHERE journal.planned = planned.id AND kind = 'started'"
                " ORDER BY journal.id DESC LIMIT 1) FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
                " WHERE run = ? AND status IS NULL ORDER BY position",
                (run_id,),
            ).fetchall()
            for planned, guest in rows:
                reason = "never given to a guest" if guest is None else f"given to {guest}, but its end was not seen"
                write_outcome(self._connection, planned, Outcome(Status.MISSING, reason=reason, guest=guest or ""))
                self._note(run_id, Kind.ENDED, planned=planned, guest=guest or "", text=Status.MISSING)
            (missing,) = sql.execute(
                "SELECT count(*) FROM planned JOIN outcome ON outcome.planned = planned.id"
                " WHERE run = ? AND status = 'missing'",
                (run_id,),
            ).fetchone()
            state = RunState.INCOMPLETE if missing else RunState.COMPLETE
            sql.execute("UPDATE run SET state = ?, ended = ? WHERE id = ?", (state, _now(), run_id))
            self._note(run_id, Kind.FINISHED, text=state)
        return state

    def history(self, lab: str | None, tests: Iterable[TestId]) -> Mapping[TestId, float]:
        """Median seconds of these tests in the last runs (of one lab, or of all); the unknown are absent.

        Only passes and fails count: skips end at once, and the duration of a crash or a hang is not typical. Repeats of a test
        count together.
        """
        asked = {test: test.plain for test in tests}
        wanted = set(asked.values())
        seconds: dict[TestId, list[float]] = defaultdict(list)
        for suite, profile, name, duration in self._query(
            "SELECT suite, profile, name, seconds FROM planned JOIN outcome ON outcome.planned = planned.id"
            " WHERE status IN (SELECT value FROM json_each(?3)) AND run IN"
            " (SELECT id FROM run WHERE (lab = ?1 OR ?1 IS NULL) AND decides IS NULL ORDER BY id DESC LIMIT ?2)",
            lab,
            HISTORY_RUNS,
            json.dumps([status for status in Status if status.ran_to_its_end]),
        ):
            plain = TestId(suite, profile, name).plain
            if plain in wanted:
                seconds[plain].append(duration)
        usual = {plain: median(values) for plain, values in seconds.items()}
        return {test: usual[plain] for test, plain in asked.items() if plain in usual}

    def _query(self, statement: str, *values: object) -> list[Any]:
        with database.explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    def _state(self, run_id: int) -> RunState:
        return self.run(run_id).state

    def _planned(self, run_id: int, test: TestId) -> int:
        rows = self._query(
            "SELECT id FROM planned WHERE run = ? AND suite = ? AND profile = ? AND name = ?",
            run_id,
            test.suite,
            test.profile,
            test.name,
        )
        if not rows:
            raise InfrastructureError(f"{test} is not in the plan of run {run_id}")
        return int(rows[0][0])

    def _end(self, run_id: int, test: TestId, outcome: Outcome) -> None:
        planned = self._planned(run_id, test)
        try:
            write_outcome(self._connection, planned, outcome)
        except sqlite3.IntegrityError as error:
            raise InfrastructureError(
                f"{test} already has a status in run {run_id}; a second one ({outcome.status}) is refused"
            ) from error
        self._note(run_id, Kind.ENDED, planned=planned, guest=outcome.guest, text=outcome.status)

    def _note(self, run_id: int, kind: Kind, *, planned: int | None = None, guest: str = "", text: str = "") -> None:
        self._connection.execute(
            "INSERT INTO journal (run, at, kind, planned, guest, text) VALUES (?, ?, ?, ?, ?, ?)",
            (run_id, _now(), kind, planned, clean(guest, MAX_LINE), clean(text, MAX_LINE)),
        )


def _check_plan(plan: Sequence[PlannedRow]) -> None:
    if not plan:
        raise UserError("no tests to run", hint="check `suites` in lab.yaml: it selects no tests")
    seen: set[TestId] = set()
    for row in plan:
        for part in (row.id.suite, row.id.profile, row.id.name):
            if not part or part != clean(part, MAX_LINE):
                raise UserError(f"the test name {part!a} is empty, longer than {MAX_LINE} characters or not printable")
        if row.id in seen:
            raise UserError(f"{row.id} is planned twice", hint="list it only once in `suites` of lab.yaml")
        seen.add(row.id)


def _run(row: tuple[int, str, str, str, str | None, str, int | None]) -> Run:
    run_id, lab, state, created, ended, record, decides = row
    return Run(run_id, lab, RunState(state), created, ended, json.loads(record), decides)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
