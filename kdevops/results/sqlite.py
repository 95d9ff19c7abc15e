"""A store in one SQLite file: what `Store` asks of it, over Python's own sqlite3."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from kdevops.errors import InfrastructureError
from kdevops.results import database
from kdevops.results.connection import EVERYTHING, Values

_STRANGE = re.compile("[\0\ud800-\udfff]")
"""What UTF-8 does not have, or PostgreSQL not."""
_NOWHERE = "\x01"
"""A text that is not stored: see `kdevops.text.clean`."""


def askable(values: Values) -> Values:
    """The values, with texts replaced that no database takes by one that is nowhere: what has them is not found."""
    if not any(isinstance(value, str) and _STRANGE.search(value) for value in values.values()):
        return values
    return {
        name: _NOWHERE if isinstance(value, str) and _STRANGE.search(value) else value for name, value in values.items()
    }


class Sqlite:
    """A `Connection` to a SQLite file; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = database.stamp(path) if database.is_looked_at(path) else None
        self.connection = database.connect(path)

    @property
    def place(self) -> Path:
        """The file."""
        return self._path

    def rows(self, statement: str, values: Values) -> list[Any]:
        """See `Connection`; also raises InfrastructureError if a file that is only looked at was written meanwhile."""
        with database.explained(self._path):
            try:
                rows = self.connection.execute(statement, values).fetchall()
            except UnicodeEncodeError:  # a lone surrogate
                rows = self.connection.execute(statement, askable(values)).fetchall()
        if self._stamp and self._stamp != database.stamp(self._path):  # nothing keeps others from writing meanwhile
            raise InfrastructureError(f"the result store {self._path} was written while it was read", hint="try again")
        return rows

    def execute(self, statement: str, values: Values) -> int:
        """See `Connection`; within a transaction, which explains errors."""
        return self.connection.execute(statement, values).rowcount

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """See `Connection`; within a transaction, which explains errors."""
        self.connection.executemany(statement, rows)

    def replace(self, table: str, values: Values) -> None:
        """See `Connection`."""
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.connection.execute(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608 - ours

    @contextmanager
    def transaction(self, run: int = EVERYTHING) -> Iterator[Self]:
        """See `Connection`; there is one at a time, whatever it writes."""
        with database.transaction(self.connection, self._path):
            yield self

    @contextmanager
    def deleting(self) -> Iterator[Self]:
        """See `Connection`."""
        with database.deleting(self.connection, self._path):
            yield self

    @property
    def tables_beside(self) -> Sequence[str]:
        """None."""
        return ()

    def compact(self) -> None:
        """See `Connection`; also raises InfrastructureError if others use the file, or there is no room for a copy."""
        database.compact(self.connection, self._path)

    def free_bytes(self) -> int:
        """See `Connection`."""
        return database.free_bytes(self.connection, self._path)

    def size(self) -> int:
        """Of the file and its log."""
        log = self._path.with_name(f"{self._path.name}-wal")
        return sum(each.stat().st_size for each in (self._path, log) if each.exists())

    def reading(self, run: int) -> Self:
        """Itself."""
        return self

    def writing(self, run: int) -> Self:
        """Itself."""
        return self

    def deciding(self, run: int) -> Sequence[Self]:
        """Itself."""
        return (self,)

    def is_here(self, run: int) -> bool:
        """All are."""
        return True

    def waiting(self) -> Mapping[int, int]:
        """None."""
        return {}

    def problems(self) -> Iterator[str]:
        """What SQLite's own checks of the file, and of references between rows, find."""
        for (line,) in self.rows("PRAGMA integrity_check", {}):
            if line != "ok":
                yield f"the file: {line}"
        for table, row, parent, _ in self.rows("PRAGMA foreign_key_check", {}):
            yield f"row {row} of {table} belongs to a row of {parent} that is not there"

    def close(self) -> None:
        """See `Connection`."""
        self.connection.close()


def over(connection: sqlite3.Connection, path: Path) -> Sqlite:
    """A connection that is open already."""
    found = Sqlite.__new__(Sqlite)
    found._path, found._stamp, found.connection = path, None, connection
    return found
