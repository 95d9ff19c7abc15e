"""What a store asks of the database behind it. SQLite (`kdevops.results.sqlite`) is embedded, a team's is PostgreSQL.

Statements are standard SQL with named parameters, the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self

Values = Mapping[str, Any]
EVERYTHING = 0
"""For `Connection.transaction`: a number that no run has."""


class Reader(Protocol):
    """What can be asked. All methods raise InfrastructureError if the database fails, explained for a person."""

    def rows(self, statement: str, values: Values) -> list[Any]:
        """The rows of a statement that has some."""


class Connection(Reader, Protocol):
    """A database that is open."""

    @property
    def place(self) -> Path | str:
        """Where it is, for messages; without a password."""

    def execute(self, statement: str, values: Values) -> int:
        """Execute a statement; return how many rows it changed."""

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """Execute a statement once for each of these values."""

    def replace(self, table: str, values: Values) -> None:
        """Insert a row, the first of `values` being its key, instead of the one that had this key."""

    def transaction(self, run: int = EVERYTHING) -> AbstractContextManager[Self]:
        """A write transaction: at the end of the block everything is durable, or on an error nothing.

        Nobody else writes to the same run meanwhile; without one, no other transaction that is of no single run goes on. A
        nested one is part of the outer one.
        """

    def deleting(self) -> AbstractContextManager[Self]:
        """As `transaction` of no single run, and rows of append-only tables may be deleted within the block."""

    @property
    def tables_beside(self) -> Sequence[str]:
        """Tables that this database has for itself, with rows of runs."""

    def compact(self) -> None:
        """Give the space of what was deleted back to the file system, unless the database sees to that itself."""

    def free_bytes(self) -> int:
        """How many bytes `compact` would free."""

    def size(self) -> int:
        """Bytes of everything that is stored; 0 if that does not tell what removing runs would free."""

    def reading(self, run: int) -> Reader:
        """What to ask about this run, and about the tests in it."""

    def writing(self, run: int) -> Connection:
        """Where to write what belongs to this run."""

    def deciding(self, run: int) -> Sequence[Reader]:
        """All that may have runs which repeat failures of this one."""

    def is_here(self, run: int) -> bool:
        """Whether this run is carried out with this state directory, if it goes on."""

    def waiting(self) -> Mapping[int, int]:
        """How many results of which runs are kept here until the database takes them."""

    def problems(self) -> Iterator[str]:
        """What the database itself finds wrong with what it has stored."""

    def close(self) -> None:
        """Close it. Not needed for durability."""


def in_words(waiting: Mapping[int, int]) -> str:
    """What `Connection.waiting` says, in words."""
    number, runs = sum(waiting.values()), ", ".join(map(str, waiting))
    return (
        f"{number} result{'' if number == 1 else 's'} of run {runs} wait{'s' if number == 1 else ''} for the database"
    )
