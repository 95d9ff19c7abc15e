"""What the store keeps in short for lists, which is never other than what it has at length."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError
from kdevops.results import database
from kdevops.results.model import Counts, Outcome, Status
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import NewStore, rows, tid
from tests.results.test_store_files import KILLED

db = stored.db  # the fixtures
new_team_store = stored.new_team_store
NAMES = ("a", "b", "c")
STEPS = st.tuples(
    st.sampled_from(["ended", "left_out", "started", "interrupt", "finish", "together", "conclude"]),
    st.integers(1, 2),
    st.sampled_from(NAMES),
    st.sampled_from(Status),
)


def at_length(store: Store) -> dict[int, Counts]:
    """The totals, counted anew."""
    found: dict[int, Counter[Status]] = {}
    for run, status in store.query("SELECT run, status FROM outcome JOIN planned ON planned.id = outcome.planned"):
        found.setdefault(run, Counter())[Status.read(status)] += 1
    return {run: Counts(dict(table)) for run, table in found.items()}


def step(store: Store, what: str, run: int, name: str, status: Status) -> None:
    outcome = Outcome(status)
    match what:
        case "ended":
            store.ended(run, tid(name), outcome)
        case "left_out":
            store.left_out(run, {tid(each): "known" for each in NAMES[NAMES.index(name) :]})
        case "started":
            store.started(run, tid(name), "g")
        case "together":  # nothing of it is kept
            with store.together(run):
                store.ended(run, tid(name), outcome)
                raise InfrastructureError("the disk is full")
        case "conclude":
            with store.together(run):
                for test in store.pending(run):
                    store.ended(run, test, outcome)
                store.finish(run)
        case _:
            getattr(store, what)(run)


def check_totals(store: Store, steps: list[tuple[str, int, str, Status]]) -> None:
    for _ in range(2):
        store.create_run("demo", rows(*NAMES), {})
    for each in steps:
        with contextlib.suppress(InfrastructureError):  # a second status is refused
            step(store, *each)
        assert store.counts() == at_length(store)


@settings(max_examples=40)  # each waits for the disk several times
@given(st.lists(STEPS, max_size=12))
def test_totals_are_those_of_the_outcomes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str, Status]]
) -> None:
    with Store(tmp_path_factory.mktemp("state")) as store:
        check_totals(store, steps)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=12))
def test_so_are_those_of_a_team(new_team_store: NewStore, steps: list[tuple[str, int, str, Status]]) -> None:
    with new_team_store() as store:
        check_totals(store, steps)


def test_a_kill_in_the_middle_leaves_totals_that_are_right(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(100):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    with Store(tmp_path) as store:
        assert store.counts() == at_length(store)
        assert store.counts()[1].total >= 100


def test_an_older_store_gets_totals_and_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:4])
        database.connect(tmp_path / database.FILE_NAME).close()
    records = ['{"kernel": {"release": "6.1.9"}}', '{"kernel": null}', "no JSON", '{"kernel": {"release": 6}}', "[1]"]
    with contextlib.closing(sqlite3.connect(tmp_path / database.FILE_NAME)) as raw:
        for run, record in enumerate(records, 1):
            raw.execute("INSERT INTO run VALUES (?, 'demo', 'running', '2026', NULL, ?, NULL)", (run, record))
            for number in range(run):
                planned = run * 10 + number
                raw.execute(
                    "INSERT INTO planned VALUES (?, ?, ?, 's', 'p', ?, 1.0, NULL)", (planned, run, number, f"t{number}")
                )
                status = "pass" if number % 2 else "fail"
                if number:
                    raw.execute("INSERT INTO outcome VALUES (?, ?, 1.0, '', '', '', '', 0, 0)", (planned, status))
        raw.commit()
    with Store(tmp_path) as store:
        assert store.counts() == at_length(store)
        found = store.query("SELECT run, planned, kernel, exit_code, verdict FROM summary ORDER BY run")
        assert found == [
            (run, run, kernel, None, "") for run, kernel in zip(range(1, 6), ["6.1.9", "", "", "6", ""], strict=True)
        ]
        assert store.query("SELECT count(*) FROM test") == [(5,)]


def test_the_kernel_is_kept_as_the_record_has_it(db: Store) -> None:
    run = db.create_run("demo", rows("a"), {"kernel": {"release": "6.1.9"}})
    assert db.query("SELECT planned, kernel FROM summary") == [(1, "6.1.9")]
    db.update_record(run, {"guests": []})
    assert db.query("SELECT kernel FROM summary") == [("6.1.9",)]
    db.update_record(run, {"kernel": {"release": "6.1.10"}})
    assert db.query("SELECT kernel FROM summary") == [("6.1.10",)]


def test_a_verdict_is_kept_of_a_run_that_has_ended(db: Store) -> None:
    run = db.create_run("demo", rows("a"), {})
    db.keep_verdict(run, 1, "regressed 1")
    assert db.query("SELECT exit_code, verdict FROM summary") == [(None, "")]
    db.finish(run)
    db.keep_verdict(run, 1, "regressed \x1b[2J1")
    assert db.query("SELECT exit_code, verdict FROM summary") == [(1, "regressed 1")]
