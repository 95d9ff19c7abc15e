"""The store's SQLite file: schema, opening and migration, and readable errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError

FILE_NAME = "kdevops.sqlite"
BUSY_SECONDS = 30.0
"""Seconds that a writer waits for another process's transaction."""
MAX_COPY = 1 << 30
"""Bytes of a database of an older schema that is copied to memory, where it cannot be migrated."""


def _append_only(*tables: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in tables
        for verb in ("update", "delete")
    )


_FIRST = (
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        lab TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'interrupted', 'complete', 'incomplete')),
        created TEXT NOT NULL,
        ended TEXT,
        record TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX run_by_lab ON run (lab, id)",
    """CREATE TABLE planned (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run (id),
        position INTEGER NOT NULL,
        suite TEXT NOT NULL,
        profile TEXT NOT NULL,
        name TEXT NOT NULL,
        timeout REAL NOT NULL,
        expected REAL,
        UNIQUE (run, position),
        UNIQUE (run, suite, profile, name)
    ) STRICT""",
    # The primary key enforces "exactly one status per test".
    """CREATE TABLE outcome (
        planned INTEGER PRIMARY KEY REFERENCES planned (id),
        status TEXT NOT NULL CHECK (status IN ('pass', 'fail', 'skip', 'crash', 'hang', 'missing')),
        seconds REAL NOT NULL,
        reason TEXT NOT NULL,
        output TEXT NOT NULL,
        oops TEXT NOT NULL,
        guest TEXT NOT NULL,
        subtests_cut INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE subtest (
        planned INTEGER NOT NULL REFERENCES outcome (planned),
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (planned, number)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES run (id),
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        planned INTEGER REFERENCES planned (id),
        guest TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX journal_by_run ON journal (run, id)",
    "CREATE INDEX journal_by_test ON journal (planned)",
    *_append_only("planned", "outcome", "subtest", "journal"),
)
_REPORTS = (
    """CREATE TABLE report (
        planned INTEGER NOT NULL REFERENCES outcome (planned),
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        signature TEXT NOT NULL,
        title TEXT NOT NULL,
        gates INTEGER NOT NULL CHECK (gates IN (0, 1)),
        text TEXT NOT NULL,
        PRIMARY KEY (planned, number)
    ) STRICT""",
    "ALTER TABLE outcome ADD COLUMN reports_cut INTEGER NOT NULL DEFAULT 0",
    *_append_only("report"),
)

_DECIDING = (
    "ALTER TABLE run ADD COLUMN decides INTEGER REFERENCES run (id)",
    "CREATE INDEX run_by_decided ON run (decides, id) WHERE decides IS NOT NULL",
)

_EVIDENCE = (
    """CREATE TABLE evidence (
        run INTEGER PRIMARY KEY REFERENCES run (id),
        at TEXT NOT NULL,
        source TEXT NOT NULL,
        files BLOB NOT NULL
    ) STRICT""",
    *_append_only("evidence"),
)

# For lists and histories of many runs: a record may have 100 kB, and a run 30,000 outcomes.
_SUMMARY = (
    """CREATE TABLE summary (
        run INTEGER PRIMARY KEY REFERENCES run (id),
        planned INTEGER NOT NULL,
        kernel TEXT NOT NULL,
        exit_code INTEGER,
        verdict TEXT NOT NULL,
        ran TEXT
    ) STRICT""",
    """CREATE TABLE total (
        run INTEGER NOT NULL REFERENCES run (id),
        status TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (run, status)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE test (
        suite TEXT NOT NULL,
        profile TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (suite, profile, name)
    ) STRICT, WITHOUT ROWID""",
    """INSERT INTO summary SELECT id, (SELECT count(*) FROM planned WHERE planned.run = run.id),
        CASE WHEN json_valid(record) THEN coalesce(CAST(json_extract(record, '$.kernel.release') AS TEXT), '') ELSE '' END,
        NULL, '',
        CASE WHEN json_valid(record) AND json_type(record, '$.imported') IS NOT NULL THEN coalesce(
            (SELECT min(value) || ' ' || max(value) FROM json_each(record, '$.imported.ran')), '') END
        FROM run""",
    """INSERT INTO total SELECT run, status, count(*) FROM planned JOIN outcome ON outcome.planned = planned.id
        GROUP BY run, status""",
    "INSERT INTO test SELECT DISTINCT suite, profile, name FROM planned",
)

# Of what may be longer than a page, where SQLite cannot see that a page of it was damaged; NULL for what is older.
_DIGESTS = tuple(f"ALTER TABLE {table} ADD COLUMN digest INTEGER" for table in ("run", "outcome", "report"))

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _REPORTS, _DECIDING, _EVIDENCE, _SUMMARY, _DIGESTS)
"""Statements from schema n to n + 1; `PRAGMA user_version` is the number applied. Append, never edit."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database; create or migrate it if necessary.

    Where it cannot be written, it is opened to be looked at, and nothing is made beside it: see `is_looked_at`.
    Raises UserError when a newer kdevops wrote it, InfrastructureError when it cannot be opened or is not a database.
    """
    if is_looked_at(path):
        return _look_at(path)
    with explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InfrastructureError(
                f"cannot create the state directory {path.parent}: {error.strerror}",
                hint="choose another directory with --state",
            ) from error
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def is_looked_at(path: Path) -> bool:
    """Whether the database is there and cannot be written: a file system that is read-only, or files of somebody else."""
    return os.access(path, os.F_OK) and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def stamp(path: Path) -> tuple[object, ...]:
    """What changes when a process writes the database: of one that is looked at, nothing else tells that."""
    log = path.with_name(f"{path.name}-wal")
    return tuple((facts.st_mtime_ns, facts.st_size) if (facts := _facts(each)) else None for each in (path, log))


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _look_at(path: Path) -> sqlite3.Connection:
    """Open a database that cannot be written, without files beside it; one of an older schema is copied to memory."""
    with explained(path):
        log = _facts(path.with_name(f"{path.name}-wal"))
        # With a log that has something in it, SQLite needs its other file, too; without one, it may take the file as it is.
        how = "mode=ro" if log and log.st_size else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
        try:
            if _version(connection, path) < len(MIGRATIONS):
                connection = _migrated_copy(connection, path)
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.OperationalError as error:
            connection.close()
            if log and log.st_size:
                raise InfrastructureError(
                    f"the result store {path} was not closed, and cannot be written here: its newest results are in {path}-wal",
                    hint=f"copy both files to a directory that can be written, and give that with --state: cp {path}* DIR",
                ) from error
            raise
        except BaseException:
            connection.close()
            raise
    return connection


def _migrated_copy(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    if path.stat().st_size > MAX_COPY:
        raise InfrastructureError(
            f"the result store {path} was written by an older kdevops, and cannot be migrated because it is not writable",
            hint=f"copy it to a directory that can be written, and give that with --state: cp {path} DIR",
        )
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    connection.close()
    _migrate(copy, path)
    return copy


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """A write transaction: at the end of the block everything is durable, or on an error nothing.

    A nested one is part of the outer transaction.
    """
    if connection.in_transaction:
        yield connection
        return
    with explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk makes SQLite roll back by itself
                connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def deleting(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """A write transaction in which rows of append-only tables may be deleted: outside of it, no mistake of ours can."""
    with transaction(connection, path):
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\\_no\\_delete' ESCAPE '\\'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.execute(statement)


def compact(connection: sqlite3.Connection, path: Path) -> None:
    """Give the space of what was deleted back to the file system.

    Raises InfrastructureError if the database is in use, or there is no room for the copy that this needs for a while.
    """
    with explained(path):
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def free_bytes(connection: sqlite3.Connection, path: Path) -> int:
    """How much `compact` would free."""
    with explained(path):
        pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    return int(pages) * int(size)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into InfrastructureError, except violated constraints, which the caller handles."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        if "decode" in str(error):  # text that is not UTF-8, which we never wrote: Python's own error, without a code
            raise damaged(path, error) from error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte of an extended code is the primary one
        message, hint = _TROUBLES.get(code, ("the result store {path} failed ({error})", None))
        facts = {"path": path, "directory": path.parent, "error": error}
        raise InfrastructureError(message.format(**facts), hint=hint and hint.format(**facts)) from error


@contextlib.contextmanager
def understood(path: Path | str) -> Iterator[None]:
    """Turn what is read and cannot have been written so (ValueError) into InfrastructureError: the file is damaged."""
    try:
        yield
    except (ValueError, TypeError, zlib.error) as error:
        raise damaged(path, error) from error


def damaged(path: Path | str, error: object) -> InfrastructureError:
    """The error for a damaged store; `path` is a file, or says which other database it is."""
    message, hint = _DAMAGED if isinstance(path, Path) else (_DAMAGED[0], "restore a copy of that database")
    return InfrastructureError(message.format(path=path, error=error), hint=hint.format(path=path))


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) == len(MIGRATIONS):
        return
    with transaction(connection, path):
        done = _version(connection, path)  # check again, now that no other process can be migrating
        for statements in MIGRATIONS[done:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise UserError(
            f"{path} was written by a newer kdevops (schema {version}, this one knows {len(MIGRATIONS)})",
            hint="use that newer kdevops, or another directory with --state",
        )
    return version


_DAMAGED = (
    "the result store {path} is damaged ({error})",
    "rebuild what can be read: kdevops results check --repair; if nothing can, move the file away, or restore a copy of it",
)
_TROUBLES: dict[int, tuple[str, str | None]] = {
    sqlite3.SQLITE_FULL: (
        "disk full: cannot write to the result store {path}",
        "free some space in {directory}, then run `kdevops resume`: finished tests are kept",
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: (
        f"another process has kept the result store {{path}} locked for {BUSY_SECONDS:g} s",
        "find the process that has it open with `fuser {path}`",
    ),
    sqlite3.SQLITE_READONLY: ("the result store {path} is not writable", "check who owns it and its directory"),
    sqlite3.SQLITE_PERM: ("no permission to open the result store {path}", "check who owns it and its directory"),
    sqlite3.SQLITE_CANTOPEN: (
        "the result store {path} cannot be opened",
        "check who owns it and its directory, or choose another one with --state",
    ),
    sqlite3.SQLITE_IOERR: (
        "reading or writing the result store {path} failed ({error})",
        "check the disk of {directory} (full? failing? a network file system?)",
    ),
}
