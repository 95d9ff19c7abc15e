"""A new run's output begins in an empty place, whatever a kill or an earlier store has left there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.results.model import TestId
from kdevops.results.pruning import remove, unfinished
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from kdevops.run.new_run import new_run

PLAN = [PlannedRow(TestId("commands", "default", "one"), 60.0)]


@pytest.fixture
def dirs(store_url: str, tmp_path: Path) -> Dirs:
    return Dirs(tmp_path / "state", tmp_path / "cache")


def test_what_is_of_no_run_is_moved_aside_and_goes_with_the_next_removal(dirs: Dirs) -> None:
    left = dirs.run(2)
    left.mkdir(parents=True)
    (left / "a.log").write_text("of an import that was killed")
    with Store(dirs.state) as store:
        assert [new_run(store, dirs, "demo", PLAN, {}) for _ in range(2)] == [1, 2]
        assert not left.exists()
        (aside,) = left.parent.iterdir()
        assert (aside / "a.log").exists()
        remove(store, [], dirs.run)
        assert aside.exists()  # as long as somebody may look for it
        os.utime(aside, (0, 0))
        assert unfinished(left.parent)
        assert remove(store, [], dirs.run) >= len("of an import that was killed")
        assert not aside.exists()
        assert [each.id for each in store.runs()] == [2, 1]


def test_a_run_that_decides_another(dirs: Dirs) -> None:
    with Store(dirs.state) as store:
        first = new_run(store, dirs, "demo", PLAN, {})
        assert store.run(new_run(store, dirs, "demo", PLAN, {}, decides=first)).decides == first


def test_what_cannot_be_moved_is_an_error_and_there_is_no_run(dirs: Dirs) -> None:
    dirs.run(1).parent.mkdir(parents=True)
    dirs.run(1).write_text("a file")
    with Store(dirs.state) as store:
        with pytest.raises(InfrastructureError, match="is of no run, and cannot be moved aside"):
            new_run(store, dirs, "demo", PLAN, {})
        assert store.runs() == ()
