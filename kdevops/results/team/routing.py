"""A team's store: the database, and beside it the mirrors of runs that go on here or wait for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kdevops.errors import InfrastructureError
from kdevops.results.connection import EVERYTHING, Connection, Reader, Values, in_words
from kdevops.results.team import mirror as mirrors
from kdevops.results.team.deliver import deliver, take
from kdevops.results.team.mirror import Mirror
from kdevops.results.team.postgres import Postgres
from kdevops.results.team.trouble import UnreachableError

PAUSE = 5.0
"""Seconds after which a database that went away is tried again, and at least four times as long as that takes."""
_KEPT = 24 * 3600.0
"""Seconds for which the mirror of a run that has ended stays, for when the database is away."""
_OPEN = "SELECT 1 FROM run WHERE id = :run AND ended IS NULL"
_THERE = "SELECT 1 FROM run WHERE id = :run"


class _Either:
    """The database, and the mirror that has the same as far as is known, if the database is away."""

    def __init__(self, team: Team, mirror: Mirror) -> None:
        self._team, self._mirror = team, mirror

    def rows(self, statement: str, values: Values) -> list[Any]:
        try:
            return self._team.rows(statement, values)
        except UnreachableError:
            return self._mirror.rows(statement, values)


class Team:
    """The `Connection` to a team's store. Runs that go on are written to their mirrors, and from there to the database.

    Raises UnreachableError if the database cannot be reached, unless runs have mirrors in `directory`: these can be used.
    """

    def __init__(self, postgres: Postgres, directory: Path) -> None:
        self._postgres, self._directory = postgres, directory
        self._mirrors: dict[int, Mirror] = {}
        self._away_until = 0.0
        self._written: set[int] = set()
        postgres.hint = self._hint
        for path in sorted(directory.glob("*.sqlite")):
            self._open(path)
        try:
            postgres.connect()
        except UnreachableError:
            if not self._mirrors:
                raise
            self._away_until = time.monotonic() + PAUSE
            return
        self._deliver_all()
        self._tidy()

    @property
    def place(self) -> str:
        """The database, without a password."""
        return self._postgres.place

    def rows(self, statement: str, values: Values) -> list[Any]:
        """See `Connection`."""
        return self._postgres.rows(statement, values)

    def execute(self, statement: str, values: Values) -> int:
        """See `Connection`."""
        return self._postgres.execute(statement, values)

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """See `Connection`."""
        self._postgres.many(statement, rows)

    def replace(self, table: str, values: Values) -> None:
        """See `Connection`."""
        self._postgres.replace(table, values)

    @contextlib.contextmanager
    def transaction(self, run: int = EVERYTHING) -> Iterator[Any]:
        """See `Connection`: of the database; then mirrors get what was written to their runs."""
        if self._postgres.in_transaction:
            with self._postgres.transaction(run) as sql:
                yield sql
            return
        self._deliver_all()
        self._written.clear()
        with self._postgres.transaction(run) as sql:
            yield sql
        for number in sorted(self._written):
            with contextlib.suppress(UnreachableError):  # it is written, and `writing` tries again
                self._catch_up(number)

    @contextlib.contextmanager
    def deleting(self) -> Iterator[Any]:
        """See `Connection`: of the database; then mirrors of runs that are gone from it go, too."""
        with self.transaction(), self._postgres.deleting() as sql:
            yield sql
        for run, each in list(self._mirrors.items()):
            with contextlib.suppress(UnreachableError):
                if each.over and not self._postgres.rows(_THERE, {"run": run}):
                    self._forget(run)

    @property
    def tables_beside(self) -> Sequence[str]:
        """See `Connection`."""
        return self._postgres.tables_beside

    def compact(self) -> None:
        """See `Connection`."""
        self._postgres.compact()

    def free_bytes(self) -> int:
        """See `Connection`."""
        return self._postgres.free_bytes()

    def size(self) -> int:
        """See `Connection`."""
        return self._postgres.size()

    def reading(self, run: int) -> Reader:
        """The run's mirror, if it goes on here, or has what the database has not, or that is away."""
        mirror = None if self._postgres.in_transaction else self._mirrors.get(run)
        if mirror and (mirror.touched or not self._deliver(mirror) or self._is_away):
            return mirror
        return _Either(self, mirror) if mirror else self._postgres

    def writing(self, run: int) -> Connection:
        """The run's mirror if it has not ended; made if necessary."""
        if self._postgres.in_transaction:
            self._written.add(run)
            return self._postgres
        mirror = self._mirrors.get(run)
        if not mirror or not mirror.touched:
            try:
                mirror = self._catch_up(run)
            except UnreachableError:
                if not mirror:
                    raise
        if mirror:
            mirror.touched = True
        return mirror or self._postgres

    def _catch_up(self, run: int) -> Mirror | None:
        """Let a run's mirror have what the database has; make it if the run has not ended."""
        mirror = self._mirrors.get(run)
        if mirror:
            if self._deliver(mirror) and not self._is_away:
                take(mirror, self._postgres)
        elif self._postgres.rows(_OPEN, {"run": run}):
            path = self._directory / f"{run}.sqlite"
            mirrors.make(path, run, self._postgres)
            mirror = self._open(path)
        return mirror

    def deciding(self, run: int) -> Sequence[Reader]:
        """The database; while that is away, all mirrors, if they have the run itself."""
        self._deliver_all()
        if run in self._mirrors and not self._answers:
            return tuple(self._mirrors[number] for number in sorted(self._mirrors))
        return (self._postgres,)

    def is_here(self, run: int) -> bool:
        """See `Connection`: it has a mirror."""
        return run in self._mirrors

    def waiting(self) -> Mapping[int, int]:
        """See `Connection`."""
        return {run: each.results_waiting() for run, each in sorted(self._mirrors.items()) if not each.all_sent}

    def problems(self) -> Iterator[str]:
        """See `Connection`: of the database."""
        return self._postgres.problems()

    def close(self) -> None:
        """See `Connection`; what waits is tried once more."""
        self._away_until = 0.0
        self._deliver_all(touched=True)
        for each in self._mirrors.values():
            each.close()
        self._postgres.close()

    @property
    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    @property
    def _answers(self) -> bool:
        if self._is_away:
            return False
        try:
            self._postgres.rows("SELECT 1", {})
        except UnreachableError:
            self._away_until = time.monotonic() + PAUSE
            return False
        return True

    def _open(self, path: Path) -> Mirror:
        mirror = Mirror(path, self._deliver)
        self._mirrors[mirror.run] = mirror
        return mirror

    def _deliver(self, mirror: Mirror) -> bool:
        """Deliver what a mirror has, unless the database is away; return whether all is there."""
        if mirror.all_sent:
            return True
        if self._is_away:
            return False
        began = time.monotonic()
        was_away, self._away_until = self._away_until > 0, 0.0
        try:
            deliver(mirror, self._postgres)
        except UnreachableError:
            now = time.monotonic()
            self._away_until = now + max(PAUSE, 4 * (now - began))
            return False
        except InfrastructureError:
            return False  # it stays here, and `waiting` tells
        if was_away:
            self._deliver_all()
        return True

    def _deliver_all(self, *, touched: bool = False) -> None:
        for each in self._mirrors.values():
            if each.touched or not touched:
                self._deliver(each)

    def _tidy(self) -> None:
        for run, each in list(self._mirrors.items()):
            if each.over and time.time() - each.place.stat().st_mtime > _KEPT:
                self._forget(run)

    def _forget(self, run: int) -> None:
        each = self._mirrors.pop(run)
        each.close()
        mirrors.remove(each.place)

    def _hint(self) -> str:
        told = f"start it, or check KDEVOPS_STORE, the network and ~/.pgpass; psql {self.place} tries the same"
        if waiting := self.waiting():
            told += f"; {in_words(waiting)}, in {self._directory}, and the next command delivers them"
        return told
