"""The durable record of every run: its plan, its journal and the outcome of each test.

Every method that writes is one transaction and on disk when it returns, so being killed afterwards loses nothing.
A store belongs to the thread that opened it; any number of processes may have the same file open.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeAlias

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import database
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.reading import Entry, Kind, PlannedRow, Reading, Run
from kdevops.results.rows import MAX_LINE, digest, write_outcome
from kdevops.text import clean

__all__ = ["JSON", "Entry", "Kind", "PlannedRow", "Run", "Store"]

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

_OPEN = (RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED)


class Store(Reading):
    """All runs below one state directory, in its file `kdevops.sqlite`. A context manager.

    Raises UserError for a store written by a newer kdevops and for runs that do not exist; InfrastructureError, from any
    method, when the file is damaged, locked or not writable, or the disk is full.
    """

    def create_run(
        self, lab: str, plan: Sequence[PlannedRow], record: Mapping[str, JSON], *, decides: int | None = None
    ) -> int:
        """Store a run with its whole plan and return its number. `decides`: see `Run`.

        Raises UserError for an empty plan, a test planned twice, or a name that is not printable.
        """
        _check_plan(plan)
        with database.transaction(self._connection, self.path) as sql:
            cursor = sql.execute(
                "INSERT INTO run (lab, state, created, record, decides, digest) VALUES (?, ?, ?, ?, ?, ?)",
                (lab, RunState.PLANNED, _now(), text := json.dumps(record), decides, digest(text)),
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
            sql.execute(
                "INSERT INTO summary (run, planned, kernel, exit_code, verdict, ran)"
                " VALUES (:run, :planned, :kernel, NULL, '', :ran)",
                {"run": run_id, "planned": len(plan), "kernel": kernel_in(record), "ran": moments_in(record)},
            )
            sql.executemany(
                "INSERT INTO test (suite, profile, name) VALUES (:suite, :profile, :name) ON CONFLICT DO NOTHING",
                ({"suite": row.id.suite, "profile": row.id.profile, "name": row.id.name} for row in plan),
            )
            self._note(run_id, Kind.CREATED, text=f"{len(plan)} tests planned")
        return run_id

    def together(self) -> AbstractContextManager[object]:
        """All writes within the block are one transaction."""
        return database.transaction(self._connection, self.path)

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

    def keep_verdict(self, run_id: int, exit_code: int, words: str) -> None:
        """Keep the verdict on a run in short, for lists, instead of what was kept; no effect while the run has not ended."""
        kept = {"run": run_id, "exit_code": int(exit_code), "verdict": clean(words, MAX_LINE)}
        if self.query(
            "SELECT 1 FROM summary WHERE run = :run AND exit_code = :exit_code AND verdict = :verdict", **kept
        ):
            return  # most often, and then nobody waits for the disk, or for another process
        with database.transaction(self._connection, self.path) as sql:
            sql.execute(
                "UPDATE summary SET exit_code = :exit_code, verdict = :verdict WHERE run = :run"
                " AND EXISTS (SELECT 1 FROM run WHERE id = :run AND ended IS NOT NULL)",
                kept,
            )

    def update_record(self, run_id: int, changes: Mapping[str, JSON]) -> None:
        """Replace these top-level keys of the run's record and keep the others."""
        with database.transaction(self._connection, self.path) as sql:
            record = {**self.run(run_id).record, **changes}
            text = json.dumps(record)
            sql.execute("UPDATE run SET record = ?, digest = ? WHERE id = ?", (text, digest(text), run_id))
            if "kernel" in changes:
                sql.execute(
                    "UPDATE summary SET kernel = :kernel WHERE run = :run", {"kernel": kernel_in(record), "run": run_id}
                )

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
                self._write(run_id, planned, Outcome(Status.MISSING, reason=reason, guest=guest or ""))
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

    def _end(self, run_id: int, test: TestId, outcome: Outcome) -> None:
        planned = self._planned(run_id, test)
        try:
            self._write(run_id, planned, outcome)
        except sqlite3.IntegrityError as error:
            raise InfrastructureError(
                f"{test} already has a status in run {run_id}; a second one ({outcome.status}) is refused"
            ) from error
        self._note(run_id, Kind.ENDED, planned=planned, guest=outcome.guest, text=outcome.status)

    def _write(self, run_id: int, planned: int, outcome: Outcome) -> None:
        """Write an outcome and count it, which is one transaction: totals never differ from outcomes."""
        write_outcome(self._connection, planned, outcome)
        self._connection.execute(
            "INSERT INTO total (run, status, number) VALUES (:run, :status, 1)"
            " ON CONFLICT (run, status) DO UPDATE SET number = total.number + 1",
            {"run": run_id, "status": outcome.status},
        )

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


def kernel_in(record: Mapping[str, JSON]) -> str:
    """The release of the kernel of a run, by its record; "" if that does not say so."""
    kernel = record.get("kernel")
    return str(kernel.get("release") or "") if isinstance(kernel, Mapping) else ""


def moments_in(record: Mapping[str, JSON]) -> str | None:
    """The first and the last moment at which tests of an imported run ended, "" if unknown; None for a run of our own."""
    if not isinstance(imported := record.get("imported"), Mapping):
        return None
    by_profile = imported.get("ran")
    moments = sorted(map(str, by_profile.values())) if isinstance(by_profile, Mapping) else []
    return f"{moments[0]} {moments[-1]}" if moments else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
