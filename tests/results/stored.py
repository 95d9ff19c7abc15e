"""A store, and what is put into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from kdevops.results.model import KernelReport, TestId
from kdevops.results.store import PlannedRow, Store
from tests.support.postgresql import Cluster


def tid(name: str) -> TestId:
    return TestId("selftests", "default", name)


def rows(*names: str) -> list[PlannedRow]:
    return [PlannedRow(tid(name), 45.0) for name in names]


@pytest.fixture
def db(store_url: str, tmp_path: Path):
    with Store(tmp_path) as opened:
        yield opened


NewStore = Callable[[], AbstractContextManager[Store]]


@pytest.fixture
def new_team_store(
    postgres: Cluster, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> NewStore:
    """A team's stores without any run, for the examples of a property."""

    url = postgres.fresh()
    monkeypatch.setenv("KDEVOPS_STORE", url)

    @contextmanager
    def new() -> Iterator[Store]:
        postgres.emptied(url)
        with Store(tmp_path_factory.mktemp("state")) as opened:
            yield opened

    return new


@pytest.fixture
def file_db(tmp_path: Path):
    """For what is about SQLite's file."""
    with Store(tmp_path) as opened:
        yield opened


def report(signature: str, *, gates: bool = True, text: str = "") -> KernelReport:
    return KernelReport("warning", signature, f"WARNING: {signature}", gates, text)


def change(db: Store, url: str, statement: str) -> None:
    """What nobody may do, behind the back of a store."""
    if url:
        with psycopg.connect(url) as connection:
            connection.execute("SET session_replication_role = replica")  # without triggers
            connection.execute(statement)
        return
    with closing(sqlite3.connect(db.path)) as raw:
        for table in ("planned", "outcome", "report"):
            for verb in ("update", "delete"):
                raw.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        raw.execute(statement)
        raw.commit()
