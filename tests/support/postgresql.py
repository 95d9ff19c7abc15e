"""A real PostgreSQL server for tests, in a temporary directory; a database for each test that asks for one."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kdevops.results.team.postgres import Postgres
from kdevops.results.team.url import parsed

_TEMPLATE = "kdevops_template"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # a killed server loses nothing: only the machine's own end would
    "max_connections": "40",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "jit": "off",
}
GUARDED = "guarded"
"""A user who needs a password."""


def programs() -> Path:
    """The directory of the server's programs, which Debian keeps out of PATH."""
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(there[-1]) if there else shutil.which("initdb")
    if not found:
        pytest.fail("the tests of the team's store need a PostgreSQL server: make setup-dev installs it", pytrace=False)
    return Path(found).parent


class Cluster:
    """A server that belongs to the tests, reached by a socket."""

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        self.directory, self._programs = directory, programs()
        self._data, self._numbers = directory / "data", itertools.count(1)
        self._used: list[str] = []
        self._user: str | None = None
        if os.geteuid() == 0:  # which PostgreSQL refuses
            self._user = next(user for user in ("postgres", "nobody") if _is_user(user))
            shutil.chown(directory, self._user)
        self._program("initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C.UTF-8")
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
            file.write("fsync = on\n" if fsync else "")
            file.write(f"unix_socket_directories = '{directory}'\n")
        hba = self._data / "pg_hba.conf"
        hba.write_text(f"local all {GUARDED} scram-sha-256\n{hba.read_text()}")
        self.start()
        self.sql("postgres", f"CREATE DATABASE {_TEMPLATE}")
        made = Postgres(parsed(self.url(_TEMPLATE)))
        made.connect()
        made.close()

    def start(self) -> None:
        """Start the server, and wait until it answers. Of one that was killed, the last child may still be ending."""
        for _ in range(50):
            if self._program("pg_ctl", "start", "--wait", "--silent", f"--log={self.directory / 'log'}", check=False):
                return
            time.sleep(0.1)
        raise AssertionError((self.directory / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Stop it as its own service would."""
        self._program("pg_ctl", "stop", "--mode=immediate", "--silent")

    def kill(self) -> None:
        """SIGKILL to the postmaster: its children notice and end."""
        os.kill(self.pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str, user: str = "tests") -> str:
        """The URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def empty(self) -> str:
        """The URL of a new database without any table."""
        name = f"empty_{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def fresh(self) -> str:
        """The URL of a database with the tables of a store, without any run: a new one, or one that is not used again."""
        if self._used:
            return self.emptied(self._used.pop())
        name = f"store_{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def used(self, url: str) -> None:
        """A database that `fresh` gave is not needed any more, and has the tables as they were."""
        self._used.append(url)

    def emptied(self, url: str) -> str:
        """The same database as if it were fresh, for the next example of a property: sooner than a new one."""
        tables = "run, planned, outcome, subtest, report, journal, evidence, summary, total, test, delivery"
        self.sql(name_of(url), f"TRUNCATE {tables} RESTART IDENTITY")
        return url

    def sql(self, database: str, statement: str) -> list[tuple[object, ...]]:
        """Execute a statement as the owner of everything."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _program(self, name: str, *arguments: str, check: bool = True) -> bool:
        how = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []} if self._user else {}
        done = subprocess.run(
            [self._programs / name, f"--pgdata={self._data}", *arguments],
            stdout=subprocess.DEVNULL if name == "pg_ctl" else subprocess.PIPE,  # which the server would keep open
            stderr=subprocess.DEVNULL if name == "pg_ctl" else subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            check=False,
            **how,  # type: ignore[call-overload]
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.returncode == 0


def name_of(url: str) -> str:
    """The database of a URL of a cluster."""
    return url.split("@/", 1)[1].split("?", maxsplit=1)[0]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    directory = Path(tempfile.mkdtemp(prefix="kdevops-pg-"))  # a short path, which another user can go
    cluster = None
    try:
        cluster = Cluster(directory)
        yield cluster
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(directory)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each kind of store in turn: that of the state directory, and one in a database of its own."""
    if request.param == "sqlite":
        yield ""
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.fresh()
    monkeypatch.setenv("KDEVOPS_STORE", url)
    yield url
    cluster.used(url)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
