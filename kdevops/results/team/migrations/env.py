"""alembic's entry: migrate over the connection that is given, within its transaction."""

from __future__ import annotations

from alembic import context

from kdevops.results.team.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
