"""What went wrong in a team's store, in words: PostgreSQL's errors, without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from kdevops.errors import InfrastructureError
from kdevops.results.team.url import StoreUrl
from kdevops.text import clean

LOCK_SECONDS = 30
"""Seconds that a writer waits for another one's transaction."""
_MOST = 300


class UnreachableError(InfrastructureError):
    """The database is not there, or went away."""


_GONE = frozenset({"57P01", "57P02", "57P03", "57P05", "53300", "25P03"})
"""SQLSTATEs of a server that stops, starts, or has no more connections; with those of class 08."""
_TROUBLES: dict[str, tuple[str, str | None]] = {
    "53100": ("disk full: the database {place} cannot write", "free some space where it stores its files"),
    "55P03": (
        f"another process has kept a run in {{place}} locked for {LOCK_SECONDS} s",
        "find it with: SELECT * FROM pg_locks WHERE locktype = 'advisory'",
    ),
    "42501": ("the database {place} does not allow that: {error}", "grant its user all privileges on the tables"),
    "25006": ("the database {place} is read-only: {error}", "set KDEVOPS_STORE to the primary server"),
    "42P07": (
        "the database {place} has tables of something else: {error}",
        "give kdevops a database of its own: createdb kdevops",
    ),
}


@contextmanager
def explained(place: StoreUrl, hint: Callable[[], str]) -> Iterator[None]:
    """Turn SQLAlchemy's errors into InfrastructureError; UnreachableError, with the hint, if the database is gone."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        said = clean(place.without_secrets(str(error.orig)), _MOST)
        if error.connection_invalidated or state in _GONE or ((state or "08")[:2] == "08" and _of_server(error)):
            raise UnreachableError(f"the team's store {place} cannot be reached: {said}", hint=hint()) from None
        message, mend = _TROUBLES.get(state or "", ("the team's store {place} failed: {error}", None))
        raise InfrastructureError(message.format(place=place, error=said), hint=mend) from None
    except (sa.exc.SQLAlchemyError, UnicodeError) as error:
        said = clean(place.without_secrets(str(error)), _MOST)
        raise InfrastructureError(f"the team's store {place} failed: {said}") from None


def _of_server(error: sa.exc.DBAPIError) -> bool:
    """Whether this is about the connection, and not a value that could not be sent."""
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
