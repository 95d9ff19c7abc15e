"""The run that goes on here, in a SQLite file of its own: written first, then delivered to the team's store.

While the database is away, the run goes on with what is here, and its verdict is right.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from kdevops.results import database
from kdevops.results.connection import EVERYTHING, Connection, Values
from kdevops.results.sqlite import Sqlite
from kdevops.results.team.schema import metadata

_SENT = (
    "CREATE TABLE sent (origin TEXT NOT NULL, line INTEGER NOT NULL, state TEXT, record INTEGER, evidence TEXT,"
    " exit_code INTEGER, verdict TEXT) STRICT"
)
_FACTS = ("state", "record", "evidence", "exit_code", "verdict")
_NOW = (
    "SELECT run.state, run.digest, evidence.at, summary.exit_code, summary.verdict FROM run"
    " LEFT JOIN evidence ON evidence.run = run.id JOIN summary ON summary.run = run.id"
)
_WAITING = (
    "SELECT count(*) FROM outcome WHERE planned IN"
    " (SELECT planned FROM journal WHERE kind = 'ended' AND id > (SELECT line FROM sent))"
)
OF_RUN = {
    "run": "id = :run",
    "planned": "run = :run",
    "outcome": "planned IN (SELECT id FROM planned WHERE run = :run)",
    "subtest": "planned IN (SELECT id FROM planned WHERE run = :run)",
    "report": "planned IN (SELECT id FROM planned WHERE run = :run)",
    "journal": "run = :run",
    "evidence": "run = :run",
    "summary": "run = :run",
    "total": "run = :run",
}
"""All tables that have something of a run, in an order in which they can be filled, and which rows these are."""


class Mirror(Sqlite):
    """The `Connection` to one run's file. `deliver` is called after each transaction."""

    def __init__(self, path: Path, deliver: Callable[[Mirror], object]) -> None:
        super().__init__(path)
        # It may repeat failures of a run that is not here.
        self.connection.execute("PRAGMA foreign_keys = OFF")
        self.run = int(path.stem)
        self.touched = False
        """Whether this process writes to it."""
        self._deliver = deliver
        self.origin = str(self.rows("SELECT origin FROM sent", {})[0][0])

    @contextmanager
    def transaction(self, run: int = EVERYTHING) -> Iterator[Self]:
        """See `Connection`; then it is delivered."""
        outermost = not self.connection.in_transaction
        with super().transaction(run):
            yield self
        if outermost:
            self._deliver(self)

    @property
    def facts(self) -> tuple[Any, ...]:
        """What of the run may change, as it is now: state, digest of the record, when evidence was kept, verdict."""
        return tuple(self.rows(_NOW, {})[0])

    @property
    def sent(self) -> tuple[int, tuple[Any, ...]]:
        """The last line of the journal, and the facts, that were delivered."""
        line, *facts = self.rows(f"SELECT line, {', '.join(_FACTS)} FROM sent", {})[0]  # noqa: S608 - names of ours
        return int(line), tuple(facts)

    @property
    def last_line(self) -> int:
        """The last line of the journal."""
        return int(self.rows("SELECT coalesce(max(id), 0) FROM journal", {})[0][0])

    @property
    def all_sent(self) -> bool:
        """Whether everything here was delivered."""
        return self.sent == (self.last_line, self.facts)

    @property
    def over(self) -> bool:
        """Whether the run has ended, and everything was delivered."""
        return self.all_sent and bool(self.rows("SELECT 1 FROM run WHERE ended IS NOT NULL", {}))

    def note_sent(self, line: int, facts: tuple[Any, ...]) -> None:
        """Keep what was delivered. If that is lost, it is delivered again, which changes nothing: the disk may wait."""
        self.connection.execute("PRAGMA synchronous = NORMAL")
        with database.explained(self.place):
            self.connection.execute(
                f"UPDATE sent SET line = :line, {', '.join(f'{name} = :{name}' for name in _FACTS)}",  # noqa: S608 - ours
                {"line": line, **dict(zip(_FACTS, facts, strict=True))},
            )
        self.connection.execute("PRAGMA synchronous = FULL")

    def results_waiting(self) -> int:
        """How many results were not delivered."""
        return int(self.rows(_WAITING, {})[0][0])


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table."""
    return tuple(metadata.tables[table].columns.keys())


def copied(sql: Connection, table: str, where: str, values: Values) -> list[dict[str, Any]]:
    """Rows of a table, by column."""
    names = columns(table)
    found = sql.rows(f"SELECT {', '.join(names)} FROM {table} WHERE {where}", values)  # noqa: S608 - names of ours
    rows = [dict(zip(names, row, strict=True)) for row in found]
    if table == "report":  # SQLite has no truth values
        rows = [row | {"gates": bool(row["gates"])} for row in rows]
    return rows


def insert(sql: Connection, table: str, rows: Iterable[Values], *, without: str = "") -> None:
    """Insert rows, but for one of their columns."""
    names = [name for name in columns(table) if name != without]
    marks = ", ".join(f":{name}" for name in names)
    sql.many(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 - names of ours


def make(path: Path, run: int, whole: Connection) -> None:
    """Make the mirror of a run as it is in the store; no effect if another process was faster."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        made = Sqlite(new)
        made.connection.execute("PRAGMA foreign_keys = OFF")
        with whole.transaction(run), made.transaction():  # nobody writes to the run meanwhile
            for table, where in OF_RUN.items():
                insert(made, table, copied(whole, table, where, {"run": run}))
            made.execute(_SENT, {})
            line = made.rows("SELECT coalesce(max(id), 0) FROM journal", {})[0][0]
            made.execute(
                f"INSERT INTO sent (origin, line, {', '.join(_FACTS)}) SELECT :origin, :line, * FROM ({_NOW})",  # noqa: S608
                {"origin": uuid.uuid4().hex, "line": line},
            )
        made.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        made.close()
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        remove(new)


def remove(path: Path) -> None:
    """Remove a mirror's files."""
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
