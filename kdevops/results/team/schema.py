"""The tables of a team's store, as of the newest revision: those of `kdevops.results.database`, in PostgreSQL's types.

Texts are compared byte by byte, as SQLite does, whatever the database's own language is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

HEAD = "0001"
"""The newest revision, so that a store which has it is opened without alembic."""
VERSION_TABLE = "kdevops_revision"

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=null, primary_key=key)


def _int(name: str, *more: Any, null: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, *more, nullable=null, primary_key=key, autoincrement=False)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)


def _of(table: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.{'planned' if table == 'outcome' else 'id'}")


sa.Table(
    "run",
    metadata,
    _number(),
    _text("lab"),
    _text("state"),
    _text("created"),
    _text("ended", null=True),
    _text("record"),
    _int("decides", _of("run"), null=True),
    _int("digest", null=True),
    sa.CheckConstraint("state IN ('planned', 'running', 'interrupted', 'complete', 'incomplete')", name="run_state"),
    sa.Index(None, "lab", "id"),
    sa.Index(None, "decides", "id", postgresql_where=sa.text("decides IS NOT NULL")),
)
sa.Table(
    "planned",
    metadata,
    _number(),
    _int("run", _of("run")),
    _int("position"),
    _text("suite"),
    _text("profile"),
    _text("name"),
    sa.Column("timeout", sa.Double, nullable=False),
    sa.Column("expected", sa.Double, nullable=True),
    sa.UniqueConstraint("run", "position"),
    sa.UniqueConstraint("name", "profile", "suite", "run"),  # one test over all runs stands together
)
sa.Table(
    "outcome",
    metadata,
    _int("planned", _of("planned"), key=True),
    _text("status"),
    sa.Column("seconds", sa.Double, nullable=False),
    _text("reason"),
    _text("output"),
    _text("oops"),
    _text("guest"),
    _int("subtests_cut"),
    _int("reports_cut"),
    _int("digest", null=True),
    sa.CheckConstraint("status IN ('pass', 'fail', 'skip', 'crash', 'hang', 'missing')", name="outcome_status"),
)
sa.Table(
    "subtest",
    metadata,
    _int("planned", _of("outcome"), key=True),
    _int("number", key=True),
    _text("name"),
    _text("status"),
    _text("reason"),
)
sa.Table(
    "report",
    metadata,
    _int("planned", _of("outcome"), key=True),
    _int("number", key=True),
    _text("kind"),
    _text("signature"),
    _text("title"),
    sa.Column("gates", sa.Boolean, nullable=False),
    _text("text"),
    _int("digest", null=True),
)
sa.Table(
    "journal",
    metadata,
    _number(),
    _int("run", _of("run")),
    _text("at"),
    _text("kind"),
    _int("planned", _of("planned"), null=True),
    _text("guest"),
    _text("text"),
    sa.Index(None, "run", "id"),
    sa.Index(None, "planned"),
)
sa.Table(
    "evidence",
    metadata,
    _int("run", _of("run"), key=True),
    _text("at"),
    _text("source"),
    sa.Column("files", sa.LargeBinary, nullable=False),
)
sa.Table(
    "summary",
    metadata,
    _int("run", _of("run"), key=True),
    _int("planned"),
    _text("kernel"),
    _int("exit_code", null=True),
    _text("verdict"),
    _text("ran", null=True),
)
sa.Table(
    "total",
    metadata,
    _int("run", _of("run"), key=True),
    _text("status", key=True),
    _int("number"),
)
sa.Table("test", metadata, _text("suite", key=True), _text("profile", key=True), _text("name", key=True))
# What each mirror has delivered (kdevops.results.team.deliver), in one transaction with it: nothing arrives twice.
sa.Table("delivery", metadata, _text("origin", key=True), _int("run", _of("run")), _int("line"))
