"""The list of runs: the newest, of one lab or of all, without reading a record."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.listing import Listed, labs, listed, number_of_runs
from kdevops.results.model import Counts, Outcome, RunState, Status
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import rows, tid

db = stored.db  # the fixture


def test_a_run_is_listed_with_its_verdict(db: Store) -> None:
    run = db.create_run("xfs", rows("a", "b"), {"kernel": {"release": "6.1.1"}})
    db.ended(run, tid("a"), Outcome(Status.FAIL))
    db.finish(run)
    db.keep_verdict(run, 4, "missing 1")
    known = db.run(run)
    counts = Counts({Status.FAIL: 1, Status.MISSING: 1})
    assert listed(db) == (
        Listed(1, "xfs", RunState.INCOMPLETE, known.created, known.ended, 2, "6.1.1", 4, "missing 1", counts),
    )


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), max_size=6),
    st.sampled_from([None, *"xyz"]),
    st.integers(1, 7),
)
def test_it_is_the_newest_of_what_runs_gives(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, bool]], lab: str | None, limit: int
) -> None:
    with Store(tmp_path_factory.mktemp("state")) as store:
        for number, (name, decides) in enumerate(runs, 1):
            store.create_run(name, rows("a"), {}, decides=number - 1 if decides and number > 1 else None)
        every = [(run.id, run.lab) for run in store.runs(lab)]
        assert [(run.id, run.lab) for run in listed(store, lab, limit)] == every[:limit]
        assert [(run.id, run.lab) for run in listed(store, lab)] == every
        assert number_of_runs(store, lab) == len(every)
        assert labs(store) == tuple(sorted({name for name, _ in runs}))


def test_no_record_is_read(db: Store) -> None:
    db.create_run("xfs", rows("a"), {})
    with closing(sqlite3.connect(db.path)) as raw:
        raw.execute("UPDATE run SET record = 'no JSON'")
        raw.commit()
    assert [run.id for run in listed(db)] == [1]
