"""A store in PostgreSQL: what `Store` asks of it, over SQLAlchemy Core and psycopg."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

import sqlalchemy as sa

from kdevops.results.connection import EVERYTHING, Values
from kdevops.results.sqlite import askable
from kdevops.results.team import migrate
from kdevops.results.team.trouble import LOCK_SECONDS, explained
from kdevops.results.team.url import StoreUrl

CONNECT_SECONDS = 5
_KEY = 0x6B6465766F << 24  # "kdevo": the advisory locks of kdevops; that of a run is this plus its number
_DELETING = "SELECT set_config('kdevops.removing', :value, true)"
_statement = lru_cache(maxsize=256)(sa.text)


class Postgres:
    """A `Connection` to PostgreSQL. It connects when it is used, and again if it was lost before."""

    def __init__(self, url: StoreUrl, hint: Callable[[], str] = lambda: "") -> None:
        self._url, self.hint = url, hint
        self._engine = sa.create_engine(
            url.url,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            use_native_hstore=False,
            connect_args=_connect_args(url.url),
        )
        self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._open: sa.Connection | None = None
        self._locked: set[int] = set()
        self._ready = False

    @property
    def place(self) -> str:
        """Its URL, without secrets."""
        return str(self._url)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._open is not None

    def connect(self) -> None:
        """Connect, and bring the tables up to date. Raises UserError if a newer kdevops made them."""
        if not self._ready:
            with self._explained(), self._engine.begin() as connection:
                migrate.up_to_date(connection, self.place)
            self._ready = True

    def rows(self, statement: str, values: Values) -> list[Any]:
        """See `Connection`."""
        with self._explained(), self._connection() as connection:
            return list(map(tuple, connection.execute(_statement(statement), askable(values)).fetchall()))

    def execute(self, statement: str, values: Values) -> int:
        """See `Connection`."""
        with self._explained(), self._connection() as connection:
            return int(connection.execute(_statement(statement), values).rowcount)

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """See `Connection`."""
        if found := list(rows):
            with self._explained(), self._connection() as connection:
                connection.execute(_statement(statement), found)

    def replace(self, table: str, values: Values) -> None:
        """See `Connection`."""
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        key, *others = values
        new = ", ".join(f"{name} = excluded.{name}" for name in others)
        insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names of ours
        self.execute(f"{insert} ON CONFLICT ({key}) DO UPDATE SET {new}", values)

    @contextmanager
    def transaction(self, run: int = EVERYTHING) -> Iterator[Self]:
        """See `Connection`."""
        if self._open is not None:
            self._lock(run)
            yield self
            return
        self.connect()
        with self._explained(), self._engine.begin() as connection:
            self._open = connection
            try:
                self._lock(run)
                yield self
            finally:
                self._open = None
                self._locked.clear()

    @contextmanager
    def deleting(self) -> Iterator[Self]:
        """See `Connection`: what the triggers ask for is set until the end of the block, or of the transaction."""
        with self.transaction():
            self.rows(_DELETING, {"value": "on"})
            yield self
            self.rows(_DELETING, {"value": "off"})

    @property
    def tables_beside(self) -> Sequence[str]:
        """What mirrors have delivered."""
        return ("delivery",)

    def compact(self) -> None:
        """No effect: PostgreSQL uses the space again."""

    def free_bytes(self) -> int:
        """None."""
        return 0

    def size(self) -> int:
        """Not known: what is deleted stays in its files until it is used again."""
        return 0

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
        """None is known to be."""
        return False

    def waiting(self) -> Mapping[int, int]:
        """None."""
        return {}

    def problems(self) -> Iterator[str]:
        """None: PostgreSQL checks references itself, and its files have tools of their own."""
        yield from ()

    def close(self) -> None:
        """See `Connection`."""
        self._engine.dispose()

    def _lock(self, run: int) -> None:
        if run not in self._locked:
            self.rows("SELECT pg_advisory_xact_lock(:key)", {"key": _KEY + run})
            self._locked.add(run)

    def _explained(self) -> Any:
        return explained(self._url, self.hint)

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        if self._open is not None:
            yield self._open
            return
        self.connect()
        with self._alone.connect() as connection:
            yield connection


def _connect_args(url: sa.URL) -> dict[str, Any]:
    """What is asked of libpq, unless the URL says otherwise: to notice in seconds that a server is gone."""
    ours = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": 2000 * CONNECT_SECONDS,
        "keepalives_idle": CONNECT_SECONDS,
        "keepalives_interval": CONNECT_SECONDS,
        "keepalives_count": 2,
        "application_name": "kdevops",
    }
    options = url.query.get("options", "")
    asked = {"options": f"{options} -c lock_timeout={LOCK_SECONDS}s -c client_encoding=UTF8".strip()}
    return {name: value for name, value in ours.items() if name not in url.query} | asked
