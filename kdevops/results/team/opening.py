"""Open a team's store."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.connection import Connection

_NEEDED = ("sqlalchemy", "alembic", "psycopg")


def opened_team(url: str, spool: Path) -> Connection:
    """The store that KDEVOPS_STORE names; what it does not take yet is kept in the directory `spool`.

    Raises UserError if this is no URL of a store, or what it needs is not installed, or the store is of a newer kdevops;
    InfrastructureError if it cannot be opened.
    """
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(
            f"KDEVOPS_STORE is set, and {', '.join(missing)} is not installed, which a team's store needs",
            hint=f"{sys.executable} -m pip install 'kdevops[postgresql]'",
        )
    from kdevops.results.team.postgres import Postgres
    from kdevops.results.team.routing import Team
    from kdevops.results.team.url import parsed

    return Team(Postgres(parsed(url)), spool)
