"""Without KDEVOPS_STORE nothing of a team's store is imported; with it, what is missing is said."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import UserError
from kdevops.results.store import Store

ALONE = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.results.listing import listed
with Store(Path(sys.argv[1])) as store:
    run = store.create_run("demo", [PlannedRow(TestId("s", "p", "t"), 1.0)], {})
    store.ended(run, TestId("s", "p", "t"), Outcome(Status.PASS))
    store.finish(run)
    assert listed(store)
print(sorted({name.split(".")[0] for name in sys.modules} & {"sqlalchemy", "alembic", "psycopg", "greenlet", "mako"}))
print([name for name in sys.modules if name.startswith("kdevops.results.team")])
"""


def test_a_file_needs_nothing_of_a_team(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ALONE, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_what_is_not_installed_is_said_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "alembic" else find(name))
    monkeypatch.setenv("KDEVOPS_STORE", "postgresql:///x")
    with pytest.raises(UserError, match="alembic is not installed") as caught:
        Store(tmp_path)
    assert caught.value.hint == f"{sys.executable} -m pip install 'kdevops[postgresql]'"


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STORE", "")
    with Store(tmp_path) as store:
        assert store.place == tmp_path / "kdevops.sqlite"
