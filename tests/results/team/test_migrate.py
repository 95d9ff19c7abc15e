"""The tables of a team's store are made by whoever comes first, and left alone by those who do not know them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.store import Store
from kdevops.results.team import schema
from kdevops.results.team.schema import HEAD, VERSION_TABLE, metadata
from tests.results.stored import rows
from tests.support.postgresql import Cluster

OPEN = """
import sys
from pathlib import Path
from kdevops.results.store import PlannedRow, Store, Kind
from kdevops.results.model import TestId
with Store(Path(sys.argv[1])) as store:
    for _ in range(5):
        print(store.create_run("demo", [PlannedRow(TestId("s", "p", n), 1.0) for n in sys.argv[2]], {}))
"""


def test_the_newest_revision_is_the_one_that_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", "kdevops.results.team:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrations_make_the_tables_that_are_described(postgres: Cluster) -> None:
    engine = sa.create_engine(postgres.fresh().replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        for name, table in metadata.tables.items():
            found = {each["name"]: each["nullable"] for each in sa.inspect(connection).get_columns(name)}
            assert found == {column.name: column.nullable for column in table.columns}
    engine.dispose()


def test_several_that_come_first_at_once_make_one_store_and_no_number_twice(postgres: Cluster, tmp_path: Path) -> None:
    url = postgres.empty()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, tmp_path / str(n), names],
            env={"KDEVOPS_STORE": url, "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE,
            text=True,
        )
        for n, names in enumerate(["abcdef", "fedcba", "cafebd"])  # in any order: they must not wait for each other
    ]
    told = [int(line) for child in children for line in child.communicate(timeout=60)[0].split()]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert sorted(told) == list(range(1, 16))


def test_a_store_of_a_newer_kdevops_is_left_alone(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.fresh()
    monkeypatch.setenv("KDEVOPS_STORE", url)
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(UserError, match=r"newer kdevops .revision 9999, this one knows") as caught:
        Store(tmp_path)
    assert "KDEVOPS_STORE" in str(caught.value.hint)
    with psycopg.connect(url) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [("9999",)]


def test_a_migration_that_fails_leaves_nothing(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.empty()
    monkeypatch.setenv("KDEVOPS_STORE", url)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE total (something INTEGER)")  # of somebody else
    with pytest.raises(InfrastructureError, match='has tables of something else: relation "total"') as caught:
        Store(tmp_path)
    assert "createdb" in str(caught.value.hint)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('run'), to_regclass('total')").fetchall() == [(None, "total")]
        connection.execute("DROP TABLE total")
    with Store(tmp_path) as store:
        assert store.create_run("demo", rows("a"), {}) == 1


def test_an_up_to_date_store_is_opened_without_alembic(postgres: Cluster, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from kdevops.results.store import Store; Store(Path(sys.argv[1]));"
    code += "print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env={"KDEVOPS_STORE": postgres.fresh(), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"]
    assert schema.HEAD == HEAD
