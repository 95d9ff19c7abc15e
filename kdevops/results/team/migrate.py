"""Bring the tables of a team's store up to date with alembic, whoever comes first; the others wait."""

from __future__ import annotations

import sqlalchemy as sa

from kdevops.errors import UserError
from kdevops.results.team.schema import HEAD, VERSION_TABLE
from kdevops.text import clean

_LOCK = 0x6B6465766F_FFFFFF
_THERE = sa.text(f"SELECT to_regclass('{VERSION_TABLE}') IS NOT NULL")
_REVISION = sa.text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a name of ours


def revision(connection: sa.Connection) -> str | None:
    """The revision of the tables; None if there are none."""
    if not connection.execute(_THERE).scalar_one():
        return None
    return connection.execute(_REVISION).scalar_one_or_none()


def up_to_date(connection: sa.Connection, place: str) -> None:
    """Migrate to the newest revision, within the transaction that is open. Raises UserError if a newer kdevops was there."""
    if revision(connection) == HEAD:
        return
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if (found := revision(connection)) == HEAD:
        return  # another process was first
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "kdevops.results.team:migrations")
    config.set_main_option("path_separator", "os")
    if found is not None and found not in {
        each.revision for each in ScriptDirectory.from_config(config).walk_revisions()
    }:
        raise UserError(
            f"{place} was written by a newer kdevops (revision {clean(found, 40)}, this one knows {HEAD})",
            hint="use that newer kdevops, or another database in KDEVOPS_STORE",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
