"""The durable record of every run: its plan, its journal and the outcome of each test.

Every method that writes is one transaction and on disk when it returns, so being killed afterwards loses nothing.
A store belongs to the thread that opened it; any number of processes may have the same file open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.connection import Connection, Values
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.reading import Entry, Kind, PlannedRow, Reading, Run
from kdevops.results.rows import COUNT, MAX_LINE, digest, write_outcome, write_outcomes
from kdevops.text import clean

__all__ = ["JSON", "Entry", "Kind", "PlannedRow", "Run", "Store"]

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

_PLAN = (
    "SELECT planned.id, status, suite, profile, name FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
    " WHERE run = :run"
)
_NOTE = "INSERT INTO journal (run, at, kind, planned, guest, text) VALUES (:run, :at, :kind, :planned, :guest, :text)"
_OPEN = (RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED)


class Store(Reading):
    """All runs of one state directory, in its file `kdevops.sqlite` or in a team's store. A context manager.

    Raises UserError for a store written by a newer kdevops and for runs that do not exist; InfrastructureError, from any
    method, when the file is damaged, locked or not writable, or the disk is full; see also `kdevops.results.opening`.
    """

    def create_run(
        self, lab: str, plan: Sequence[PlannedRow], record: Mapping[str, JSON], *, decides: int | None = None
    ) -> int:
        """Store a run with its whole plan and return its number. `decides`: see `Run`.

        Raises UserError for an empty plan, a test planned twice, or a name that is not printable.
        """
        _check_plan(plan)
        with self._sql.transaction() as sql:
            run_id = _create(sql, lab, plan, record, created=_now(), decides=decides)
            _note(sql, run_id, Kind.CREATED, text=f"{len(plan)} tests planned")
            self._sql.writing(run_id)  # a team's database may be away when the first test ends
        return run_id

    def restore_run(
        self,
        run: Run,
        plan: Sequence[PlannedRow],
        outcomes: Mapping[TestId, Outcome],
        journal: Sequence[Entry],
        evidence: tuple[str, str, bytes] | None,
    ) -> int:
        """Store an ended run of another store as it is there, under a number of this one, which is returned.

        `evidence` is as `evidence` returns it. Raises UserError as `create_run` does, InfrastructureError for an entry of the
        journal, or an outcome, of a test that is not planned.
        """
        _check_plan(plan)
        with self._sql.transaction() as sql:
            run_id = _create(sql, run.lab, plan, run.record, created=run.created, decides=run.decides)
            statement = "SELECT id, suite, profile, name FROM planned WHERE run = :run"
            ids = {TestId(*test): planned for planned, *test in sql.rows(statement, {"run": run_id})}
            if not ids.keys() >= {*outcomes, *(each.test for each in journal if each.test)}:
                raise InfrastructureError("a result or an entry of the journal is of a test that is not planned")
            _write_and_count(sql, run_id, {ids[test]: outcome for test, outcome in outcomes.items()})
            sql.many(
                _NOTE,
                (
                    _line(run_id, each.kind, ids[each.test] if each.test else None, each.guest, each.text, each.at)
                    for each in journal
                ),
            )
            if evidence:
                sql.replace("evidence", {"run": run_id, **dict(zip(("at", "source", "files"), evidence, strict=True))})
            sql.execute(
                "UPDATE run SET state = :state, ended = :ended WHERE id = :run",
                {"state": run.state, "ended": run.ended, "run": run_id},
            )
        return run_id

    def together(self, run_id: int | None = None) -> AbstractContextManager[object]:
        """All writes within the block are one transaction.

        Those to a run that goes on need its number, and then are all to this run: a team's database may be away.
        """
        return self._sql.transaction() if run_id is None else self._writing(run_id)

    def deleting(self) -> AbstractContextManager[object]:
        """As `together`, and rows of append-only tables may be deleted within the block."""
        return self._sql.deleting()

    def change(self, statement: str, **values: object) -> None:
        """Execute a statement that writes, with named parameters, within the block of `together` or `deleting`."""
        with self._sql.transaction() as sql:
            sql.execute(statement, values)

    def compact(self) -> None:
        """Give the space of what was deleted back to the file system; no effect on a team's store, which reuses it.

        Raises InfrastructureError if others use the store, or there is no room for a copy of it, and changes nothing.
        """
        self._sql.compact()

    def free_bytes(self) -> int:
        """How many bytes `compact` would free."""
        return self._sql.free_bytes()

    def started(self, run_id: int, test: TestId, guest: str) -> None:
        """Record that a test is about to be given to a guest. Raises InfrastructureError if the run has ended."""
        with self._writing(run_id) as sql:
            if self._state(sql, run_id) not in _OPEN:
                raise InfrastructureError(f"run {run_id} has ended: cannot start {test} in it")
            sql.execute("UPDATE run SET state = :state WHERE id = :run", {"state": RunState.RUNNING, "run": run_id})
            _note(sql, run_id, Kind.STARTED, planned=self._planned(sql, run_id, test), guest=guest)

    def ended(self, run_id: int, test: TestId, outcome: Outcome) -> None:
        """Record a test's final outcome. Raises InfrastructureError if it already has one."""
        with self._writing(run_id) as sql:
            self._end(sql, run_id, test, outcome)

    def left_out(self, run_id: int, reasons: Mapping[TestId, str]) -> None:
        """Record tests as skipped for the given reasons, without giving them to a guest, in one transaction.

        Raises InfrastructureError if one of them already has a status.
        """
        self.all_ended(run_id, {test: Outcome(Status.SKIP, reason=reason) for test, reason in reasons.items()})

    def all_ended(self, run_id: int, outcomes: Mapping[TestId, Outcome]) -> None:
        """Record the final outcomes of many tests, in one transaction. Raises InfrastructureError as `ended` does."""
        run = {"run": run_id}
        with self._writing(run_id) as sql:
            known = {TestId(*parts): (planned, status) for planned, status, *parts in sql.rows(_PLAN, run)}
            for test, outcome in outcomes.items():
                if test not in known:
                    raise InfrastructureError(f"{test} is not in the plan of run {run_id}")
                if known[test][1]:
                    raise _second(test, run_id, outcome)
            _write_all(sql, run_id, {known[test][0]: outcome for test, outcome in outcomes.items()})

    def infrastructure(self, run_id: int, guest: str, text: str) -> None:
        """Record an infrastructure problem, which is not a test result: no boot, no ssh, a full disk."""
        with self._writing(run_id) as sql:
            _note(sql, run_id, Kind.INFRASTRUCTURE, guest=guest, text=text)

    def keep_evidence(self, run_id: int, source: str, files: bytes) -> None:
        """Keep the baseline by which a run is judged: where it is from, and its packed files, instead of what was kept."""
        with self._writing(run_id) as sql:
            sql.replace("evidence", {"run": run_id, "at": _now(), "source": clean(source), "files": files})

    def keep_verdict(self, run_id: int, exit_code: int, words: str) -> None:
        """Keep the verdict on a run in short, for lists, instead of what was kept; no effect while the run has not ended."""
        kept = {"run": run_id, "exit_code": int(exit_code), "verdict": clean(words, MAX_LINE)}
        if self._sql.reading(run_id).rows(
            "SELECT 1 FROM summary WHERE run = :run AND exit_code = :exit_code AND verdict = :verdict", kept
        ):
            return  # most often, and then nobody waits for the disk, or for another process
        with self._writing(run_id) as sql:
            sql.execute(
                "UPDATE summary SET exit_code = :exit_code, verdict = :verdict WHERE run = :run"
                " AND EXISTS (SELECT 1 FROM run WHERE id = :run AND ended IS NOT NULL)",
                kept,
            )

    def update_record(self, run_id: int, changes: Mapping[str, JSON]) -> None:
        """Replace these top-level keys of the run's record and keep the others."""
        with self._writing(run_id) as sql:
            record = {**self._run(sql, run_id).record, **changes}
            text = json.dumps(record)
            sql.execute(
                "UPDATE run SET record = :record, digest = :digest WHERE id = :run",
                {"record": text, "digest": digest(text), "run": run_id},
            )
            if "kernel" in changes:
                sql.execute(
                    "UPDATE summary SET kernel = :kernel WHERE run = :run", {"kernel": kernel_in(record), "run": run_id}
                )

    def interrupt(self, run_id: int) -> None:
        """Mark the run as interrupted, so that it can be resumed; no effect if it has ended."""
        with self._writing(run_id) as sql:
            if self._state(sql, run_id) in _OPEN:
                sql.execute(
                    "UPDATE run SET state = :state WHERE id = :run", {"state": RunState.INTERRUPTED, "run": run_id}
                )
                _note(sql, run_id, Kind.INTERRUPTED)

    def finish(self, run_id: int) -> RunState:
        """End the run: every planned test without a status becomes `missing`, with the reason, all in one transaction.

        The state is COMPLETE when none is missing, else INCOMPLETE. Finishing again changes nothing.
        """
        with self._writing(run_id) as sql:
            state = self._state(sql, run_id)
            if state not in _OPEN:
                return state
            rows = sql.rows(
                "SELECT planned.id, (SELECT guest FROM journal WHERE journal.planned = planned.id AND kind = 'started'"
                " ORDER BY journal.id DESC LIMIT 1) FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
                " WHERE run = :run AND status IS NULL ORDER BY position",
                {"run": run_id},
            )
            _write_all(sql, run_id, {planned: _missing(guest) for planned, guest in rows})
            missing = sql.rows(
                "SELECT 1 FROM planned JOIN outcome ON outcome.planned = planned.id"
                " WHERE run = :run AND status = 'missing' LIMIT 1",
                {"run": run_id},
            )
            state = RunState.INCOMPLETE if missing else RunState.COMPLETE
            sql.execute(
                "UPDATE run SET state = :state, ended = :ended WHERE id = :run",
                {"state": state, "ended": _now(), "run": run_id},
            )
            _note(sql, run_id, Kind.FINISHED, text=state)
        return state

    def _writing(self, run_id: int) -> AbstractContextManager[Connection]:
        return self._sql.writing(run_id).transaction(run_id)

    def _state(self, sql: Connection, run_id: int) -> RunState:
        return self._run(sql, run_id).state

    def _end(self, sql: Connection, run_id: int, test: TestId, outcome: Outcome) -> None:
        planned = self._planned(sql, run_id, test)
        if not write_outcome(sql, planned, outcome):
            raise _second(test, run_id, outcome)
        _count(sql, run_id, {planned: outcome})
        _note_ends(sql, run_id, {planned: outcome})


def _second(test: TestId, run_id: int, outcome: Outcome) -> InfrastructureError:
    return InfrastructureError(
        f"{test} already has a status in run {run_id}; a second one ({outcome.status}) is refused"
    )


def _missing(guest: str | None) -> Outcome:
    reason = "never given to a guest" if guest is None else f"given to {guest}, but its end was not seen"
    return Outcome(Status.MISSING, reason=reason, guest=guest or "")


def _create(
    sql: Connection,
    lab: str,
    plan: Sequence[PlannedRow],
    record: Mapping[str, JSON],
    *,
    created: str,
    decides: int | None,
) -> int:
    text = json.dumps(record)
    ((run_id,),) = sql.rows(
        "INSERT INTO run (lab, state, created, record, decides, digest)"
        " VALUES (:lab, :state, :created, :record, :decides, :digest) RETURNING id",
        {
            "lab": clean(lab, MAX_LINE),
            "state": RunState.PLANNED,
            "created": created,
            "record": text,
            "decides": decides,
            "digest": digest(text),
        },
    )
    tests = [row.id._asdict() for row in plan]
    sql.many(
        "INSERT INTO planned (run, position, suite, profile, name, timeout, expected)"
        " VALUES (:run, :position, :suite, :profile, :name, :timeout, :expected)",
        (
            {"run": run_id, "position": position, **test, "timeout": row.timeout, "expected": row.expected}
            for position, (row, test) in enumerate(zip(plan, tests, strict=True))
        ),
    )
    sql.execute(
        "INSERT INTO summary (run, planned, kernel, exit_code, verdict, ran)"
        " VALUES (:run, :planned, :kernel, NULL, '', :ran)",
        {"run": run_id, "planned": len(plan), "kernel": kernel_in(record), "ran": moments_in(record)},
    )
    sql.many("INSERT INTO test (suite, profile, name) VALUES (:suite, :profile, :name) ON CONFLICT DO NOTHING", tests)
    return int(run_id)


def _write_all(sql: Connection, run_id: int, outcomes: Mapping[int, Outcome]) -> None:
    _write_and_count(sql, run_id, outcomes)
    _note_ends(sql, run_id, outcomes)


def _write_and_count(sql: Connection, run_id: int, outcomes: Mapping[int, Outcome]) -> None:
    write_outcomes(sql, outcomes)
    _count(sql, run_id, outcomes)


def _count(sql: Connection, run_id: int, outcomes: Mapping[int, Outcome]) -> None:
    """Count what was written in the same transaction: totals never differ from outcomes."""
    counted = Counter(outcome.status for outcome in outcomes.values())
    sql.many(COUNT, [{"run": run_id, "status": status, "number": number} for status, number in counted.items()])


def _note_ends(sql: Connection, run_id: int, outcomes: Mapping[int, Outcome]) -> None:
    sql.many(
        _NOTE,
        [
            _line(run_id, Kind.ENDED, planned=planned, guest=outcome.guest, text=outcome.status)
            for planned, outcome in outcomes.items()
        ],
    )


def _note(sql: Connection, run_id: int, kind: Kind, **more: Any) -> None:
    sql.execute(_NOTE, _line(run_id, kind, **more))


def _line(run_id: int, kind: Kind, planned: int | None = None, guest: str = "", text: str = "", at: str = "") -> Values:
    return {
        "run": run_id,
        "at": at or _now(),
        "kind": kind,
        "planned": planned,
        "guest": clean(guest, MAX_LINE),
        "text": clean(text, MAX_LINE),
    }


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
