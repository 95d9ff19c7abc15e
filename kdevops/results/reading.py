"""What a store is asked: runs, plans, outcomes, the journal. `kdevops.results.store` adds what writes."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import database
from kdevops.results.connection import Reader
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.opening import opened
from kdevops.results.rows import check_digest, read_outcomes

ANY_RUN = (1 << 63) - 1
"""The greatest number that a run may have."""
HISTORY_RUNS = 10
"""Runs used to estimate a test's duration."""
_RUN = "SELECT id, lab, state, created, ended, record, decides, digest FROM run"
_TO_THE_END = ", ".join(f"'{status}'" for status in Status if status.ran_to_its_end)
_DURATIONS = (
    "SELECT suite, profile, name, seconds FROM planned JOIN outcome ON outcome.planned = planned.id"  # noqa: S608 - ours
    f" WHERE status IN ({_TO_THE_END}) AND run IN"
    " (SELECT id FROM run WHERE (lab = :lab OR :lab IS NULL) AND decides IS NULL ORDER BY id DESC LIMIT :runs)"
)


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


class Reading:
    """What can be asked of the runs of one state directory, in its file `kdevops.sqlite` or in a team's store.

    A context manager. Errors as of `kdevops.results.store.Store`.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / database.FILE_NAME
        self._sql = opened(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store. Not needed for durability."""
        self._sql.close()

    @property
    def place(self) -> Path | str:
        """Where the store is, for messages; without a password."""
        return self._sql.place

    def is_here(self, run_id: int) -> bool:
        """Whether this run is carried out with this state directory, if it goes on; of a team's runs, others may be."""
        return self._sql.is_here(run_id)

    def waiting(self) -> Mapping[int, int]:
        """How many results of which runs are kept here until a team's store, which was not there, takes them."""
        return self._sql.waiting()

    def size(self) -> int:
        """Bytes of everything that is stored; 0 for a team's store, where that does not tell what runs take."""
        return self._sql.size()

    @property
    def tables_beside(self) -> Sequence[str]:
        """Tables that the database has for itself, with rows of runs."""
        return self._sql.tables_beside

    def problems(self) -> Iterator[str]:
        """What the database itself finds wrong with what it has stored."""
        return self._sql.problems()

    def run(self, run_id: int) -> Run:
        """The run with this number. Raises UserError when there is none."""
        return self._run(self._sql.reading(run_id), run_id)

    def runs(self, lab: str | None = None) -> tuple[Run, ...]:
        """All runs, or all of one lab, newest first, but for those that only help to decide another."""
        rows = self.query(f"{_RUN} WHERE (lab = :lab OR :lab IS NULL) AND decides IS NULL ORDER BY id DESC", lab=lab)
        return tuple(map(self._as_run, rows))

    def deciding(self, run_id: int) -> tuple[Run, ...]:
        """The runs that repeat failures of this one to decide on them, oldest first."""
        statement = f"{_RUN} WHERE decides = :run ORDER BY id"
        rows = [row for sql in self._sql.deciding(run_id) for row in sql.rows(statement, {"run": run_id})]
        return tuple(map(self._as_run, rows))

    def results_deciding(self, run_id: int) -> int:
        """How many results the runs have that repeat failures of this one."""
        statement = (
            "SELECT count(*) FROM outcome JOIN planned ON planned.id = outcome.planned"
            " WHERE run IN (SELECT id FROM run WHERE decides = :run)"
        )
        return sum(int(sql.rows(statement, {"run": run_id})[0][0]) for sql in self._sql.deciding(run_id))

    def last_ended(self) -> Run | None:
        """The newest run that has ended, None when there is none."""
        rows = self.query(f"{_RUN} WHERE ended IS NOT NULL AND decides IS NULL ORDER BY id DESC LIMIT 1")
        return self._as_run(rows[0]) if rows else None

    def plan(self, run_id: int) -> tuple[PlannedRow, ...]:
        """The planned tests, in order."""
        rows = self._of(
            run_id, "SELECT suite, profile, name, timeout, expected FROM planned WHERE run = :run ORDER BY position"
        )
        return tuple(PlannedRow(TestId(*row[:3]), *row[3:]) for row in rows)

    def pending(self, run_id: int) -> tuple[TestId, ...]:
        """Planned tests without a status, in the plan's order, including those in flight."""
        rows = self._of(
            run_id,
            "SELECT suite, profile, name FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
            " WHERE run = :run AND status IS NULL ORDER BY position",
        )
        return tuple(TestId(*row) for row in rows)

    def in_flight(self, run_id: int) -> tuple[TestId, ...]:
        """Tests that were started but have no status, as after a killed controller."""
        rows = self._of(
            run_id,
            "SELECT suite, profile, name FROM planned LEFT JOIN outcome ON outcome.planned = planned.id"
            " WHERE run = :run AND status IS NULL AND planned.id IN"
            " (SELECT planned FROM journal WHERE run = :run AND kind = 'started') ORDER BY position",
        )
        return tuple(TestId(*row) for row in rows)

    def evidence(self, run_id: int) -> tuple[str, str, bytes] | None:
        """When (UTC, ISO 8601) and from where the baseline of a run was kept, and its packed files; None if it was not."""
        rows = self._of(run_id, "SELECT at, source, files FROM evidence WHERE run = :run")
        if not rows:
            return None
        with database.understood(self.place):
            zlib.decompress(rows[0][2])  # which has a checksum
        at, source, files = rows[0]
        return at, source, files

    def outcomes(self, run_id: int, *, brief: bool = False) -> Mapping[TestId, Outcome]:
        """The outcomes, in the plan's order; tests without a status are absent. For `brief` see `planned_outcomes`."""
        found = self.planned_outcomes(run_id, brief=brief)
        return {test: outcome for test, outcome in found.items() if outcome}

    def planned_outcomes(self, run_id: int, *, brief: bool = False) -> Mapping[TestId, Outcome | None]:
        """All planned tests, in order, each with its outcome; None while it has no status.

        `brief`: without subtests that went well, and without the text of kernel reports, except under crashes.
        """
        with database.understood(self.place):
            return read_outcomes(self._sql.reading(run_id), run_id, brief=brief)

    def counts(self, first: int = 0, last: int = ANY_RUN) -> Mapping[int, Counts]:
        """How many tests ended how, by run, of the runs with these numbers; runs without any result are absent."""
        found: dict[int, dict[Status, int]] = defaultdict(dict)
        for run_id, status, number in self.query(
            "SELECT run, status, number FROM total WHERE run BETWEEN :first AND :last", first=first, last=last
        ):
            found[run_id][Status.read(status)] = number
        return {run_id: Counts(table) for run_id, table in found.items()}

    def journal(self, run_id: int) -> tuple[Entry, ...]:
        """All journal entries, in order."""
        rows = self._of(
            run_id,
            "SELECT at, kind, suite, profile, name, guest, text FROM journal"
            " LEFT JOIN planned ON planned.id = journal.planned WHERE journal.run = :run ORDER BY journal.id",
        )
        with database.understood(self.place):
            return tuple(
                Entry(at, Kind(kind), TestId(suite, profile, name) if suite is not None else None, guest, text)
                for at, kind, suite, profile, name, guest, text in rows
            )

    def history(self, lab: str | None, tests: Iterable[TestId]) -> Mapping[TestId, float]:
        """Median seconds of these tests in the last runs (of one lab, or of all); the unknown are absent.

        Only passes and fails count: skips end at once, and the duration of a crash or a hang is not typical. Repeats of a test
        count together.
        """
        asked = {test: test.plain for test in tests}
        wanted = set(asked.values())
        seconds: dict[TestId, list[float]] = defaultdict(list)
        for suite, profile, name, duration in self.query(_DURATIONS, lab=lab, runs=HISTORY_RUNS):
            plain = TestId(suite, profile, name).plain
            if plain in wanted:
                seconds[plain].append(duration)
        usual = {plain: median(values) for plain, values in seconds.items()}
        return {test: usual[plain] for test, plain in asked.items() if plain in usual}

    def query(self, statement: str, **values: object) -> list[Any]:
        """The rows of a SELECT with named parameters."""
        return self._sql.rows(statement, values)

    def _of(self, run_id: int, statement: str) -> list[Any]:
        return self._sql.reading(run_id).rows(statement, {"run": run_id})

    def _run(self, sql: Reader, run_id: int) -> Run:
        there = abs(run_id) < 1 << 63  # else SQLite cannot be asked
        rows = sql.rows(f"{_RUN} WHERE id = :run", {"run": run_id if there else 0})
        if not rows:
            raise UserError(f"no run {run_id} in {self.place}", hint="list the runs with `kdevops results`")
        return self._as_run(rows[0])

    def _as_run(self, row: tuple[int, str, str, str, str | None, str, int | None, int | None]) -> Run:
        run_id, lab, state, created, ended, record, decides, stored = row
        with database.understood(self.place):
            check_digest(stored, f"the record of run {run_id}", record)
            return Run(run_id, lab, RunState(state), created, ended, json.loads(record), decides)

    @staticmethod
    def _planned(sql: Reader, run_id: int, test: TestId) -> int:
        rows = sql.rows(
            "SELECT id FROM planned WHERE run = :run AND suite = :suite AND profile = :profile AND name = :name",
            {"run": run_id, "suite": test.suite, "profile": test.profile, "name": test.name},
        )
        if not rows:
            raise InfrastructureError(f"{test} is not in the plan of run {run_id}")
        return int(rows[0][0])
