"""The list of runs: the newest, of one lab or of all, without reading a record."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.results.listing import Listed, labs, listed, number_of_runs
from kdevops.results.model import Counts, Outcome, RunState, Status
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import NewStore, rows, tid

db = stored.db  # the fixtures
new_team_store = stored.new_team_store


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


def check_list(store: Store, runs: list[tuple[str, bool]], lab: str | None, limit: int) -> None:
    for number, (name, decides) in enumerate(runs, 1):
        store.create_run(name, rows("a"), {}, decides=number - 1 if decides and number > 1 else None)
    every = [(run.id, run.lab) for run in store.runs(lab)]
    assert [(run.id, run.lab) for run in listed(store, lab, limit)] == every[:limit]
    assert [(run.id, run.lab) for run in listed(store, lab)] == every
    assert number_of_runs(store, lab) == len(every)
    assert labs(store) == tuple(sorted({name for name, _ in runs}))


RUNS = st.lists(st.tuples(st.sampled_from("xyZ"), st.booleans()), max_size=6)
LABS = st.sampled_from([None, *"xyZ"])


@given(RUNS, LABS, st.integers(1, 7))
def test_it_is_the_newest_of_what_runs_gives(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, bool]], lab: str | None, limit: int
) -> None:
    with Store(tmp_path_factory.mktemp("state")) as store:
        check_list(store, runs, lab, limit)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS, LABS, st.integers(1, 7))
def test_so_it_is_of_a_team(
    new_team_store: NewStore, runs: list[tuple[str, bool]], lab: str | None, limit: int
) -> None:
    with new_team_store() as store:
        check_list(store, runs, lab, limit)


def test_a_limit_may_be_any_number(db: Store) -> None:
    db.create_run("xfs", rows("a"), {})
    assert len(listed(db, limit=10**30)) == 1


def test_no_record_is_read(db: Store, store_url: str) -> None:
    db.create_run("xfs", rows("a"), {})
    stored.change(db, store_url, "UPDATE run SET record = 'no JSON'")
    assert [run.id for run in listed(db)] == [1]
