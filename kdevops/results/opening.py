"""Which database the store is in: a file of SQLite, or that of a team, if KDEVOPS_STORE says so."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from kdevops.errors import UserError
from kdevops.results import database
from kdevops.results.connection import Connection
from kdevops.results.sqlite import Sqlite

VARIABLE = "KDEVOPS_STORE"


def is_of_a_team() -> bool:
    """Whether the store is one of a team."""
    return bool(os.environ.get(VARIABLE))


def directory_of(state: Path) -> Path:
    """Where a state directory has what belongs to the store: each team's store gives numbers of its own to runs.

    Raises UserError if KDEVOPS_STORE is not a URL.
    """
    if not is_of_a_team():
        return state
    try:
        parts = urlsplit(os.environ[VARIABLE])
    except ValueError:
        raise UserError("KDEVOPS_STORE is not a URL") from None
    query = sorted(each for each in parts.query.split("&") if each and "password" not in each)
    database = [parts.netloc.rpartition("@")[2], parts.path, *query]
    return state / "stores" / hashlib.sha256("\n".join(database).encode(errors="replace")).hexdigest()[:12]


def opened(directory: Path) -> Connection:
    """Open the store of a state directory.

    Raises UserError if KDEVOPS_STORE is no URL of a store, or what it needs is not installed, or the store is of a newer
    kdevops; InfrastructureError if it cannot be opened.
    """
    if not is_of_a_team():
        return Sqlite(directory / database.FILE_NAME)
    from kdevops.results.team.opening import opened_team  # which imports SQLAlchemy

    return opened_team(os.environ[VARIABLE], directory_of(directory) / "spool")
