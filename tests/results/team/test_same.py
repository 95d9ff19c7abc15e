"""A team's store answers what the store of a state directory answers, whatever guests say and whenever it is away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError
from kdevops.results.listing import listed
from kdevops.results.model import KernelReport, Outcome, Status, Subtest
from kdevops.results.occurrences import known_tests, occurrences
from kdevops.results.store import Store
from kdevops.results.team import deliver, routing
from kdevops.results.team.trouble import UnreachableError
from tests.results.stored import rows, tid
from tests.support.postgresql import Cluster

Pair = Callable[[], contextlib.AbstractContextManager[tuple[Store, Store]]]
DIRTY = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud800\udfff\x1b[\u202e\n")), max_size=12)
COUNTS = st.integers(0, 1 << 70)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Status),
    st.floats(),
    DIRTY,
    st.lists(st.builds(Subtest, DIRTY, st.sampled_from(Status), DIRTY), max_size=3).map(tuple),
    DIRTY,
    st.one_of(DIRTY, st.just("BUG\0\n" * 400)),
    DIRTY,
    COUNTS,
    st.lists(st.builds(KernelReport, DIRTY, DIRTY, DIRTY, st.booleans(), DIRTY), max_size=3).map(tuple),
    COUNTS,
)


@pytest.fixture
def pair(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A store in a file, and one of a team."""

    url = postgres.fresh()

    @contextlib.contextmanager
    def opened() -> Iterator[tuple[Store, Store]]:
        monkeypatch.delenv("KDEVOPS_STORE", raising=False)
        with Store(tmp_path_factory.mktemp("file")) as alone:
            monkeypatch.setenv("KDEVOPS_STORE", postgres.emptied(url))
            with Store(tmp_path_factory.mktemp("team")) as team:
                yield alone, team

    return opened


def answers(store: Store, run: int) -> list[Any]:
    """All that a store says of a run, but for the time."""
    there = store.run(run)
    return [
        (there.lab, there.state, there.ended is None, there.record, there.decides),
        store.planned_outcomes(run),
        store.outcomes(run, brief=True),
        store.plan(run),
        store.pending(run),
        store.in_flight(run),
        [(each.kind, each.test, each.guest, each.text) for each in store.journal(run)],
        (store.evidence(run) or ("",))[1:],
    ]


def answers_to_all(store: Store) -> list[Any]:
    """All that it says of all runs."""
    return [
        store.counts(),
        [
            (each.id, each.lab, each.state, each.planned, each.kernel, each.verdict, each.counts)
            for each in listed(store)
        ],
        known_tests(store),
        [each._replace(at="") for each in occurrences(store, [tid("a")])],
        store.history(None, [tid("a"), tid("b")]),
    ]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(OUTCOMES, min_size=3, max_size=3),
    DIRTY,
    DIRTY,
    st.dictionaries(DIRTY, st.one_of(DIRTY, COUNTS), max_size=2),
)
def test_whatever_guests_say_comes_back_the_same(
    pair: Pair, outcomes: list[Outcome], lab: str, text: str, record: dict[str, Any]
) -> None:
    with pair() as stores:
        said = []
        for store in stores:
            run = store.create_run(lab, rows("a", "b", "c"), record)
            for name, outcome in zip("abc", outcomes, strict=True):
                store.started(run, tid(name), text)
                store.ended(run, tid(name), outcome)
            store.infrastructure(run, text, text)
            store.finish(run)
            store.keep_verdict(run, 1, text)
            with Store(store.path.parent) if store is stores[1] else contextlib.nullcontext(store) as again:
                said.append(
                    [
                        *answers(again, run),
                        *answers_to_all(again),
                        [each.id for each in again.runs(text)],
                        occurrences(again, [tid(text)]),
                    ]
                )
        assert said[0] == said[1]


STEPS = st.sampled_from(
    [
        "started",
        "ended",
        "left_out",
        "infrastructure",
        "interrupt",
        "finish",
        "record",
        "evidence",
        "verdict",
        "away",
        "back",
        "again",
    ]
)


def step(store: Store, what: str, run: int, name: str) -> None:
    match what:
        case "started":
            store.started(run, tid(name), "g")
        case "ended":
            store.ended(run, tid(name), Outcome(Status.FAIL, 2.0, name, (Subtest(name, Status.FAIL),)))
        case "left_out":
            store.left_out(run, {tid(each): "known" for each in "abc"["abc".index(name) :]})
        case "infrastructure":
            store.infrastructure(run, "g", name)
        case "record":
            store.update_record(run, {name: 1, "kernel": {"release": name}})
        case "evidence":
            store.keep_evidence(run, name, b"x\x9c\x03\x00\x00\x00\x00\x01")
        case "verdict":
            store.keep_verdict(run, 1, name)
        case _:
            getattr(store, what)(run)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(STEPS, st.integers(1, 2), st.sampled_from("abc")), min_size=5, max_size=25))
def test_outages_change_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int, str]]) -> None:
    away = False

    def delivered(*args: Any) -> None:
        if away:
            raise UnreachableError("away")
        deliver.deliver(*args)

    monkeypatch.setattr(routing, "deliver", delivered)
    monkeypatch.setattr(routing, "PAUSE", 0.0)
    with pair() as (alone, team), contextlib.ExitStack() as later:
        for store in (alone, team):
            for _ in range(2):
                store.create_run("demo", rows("a", "b", "c"), {})
        for what, run, name in steps:
            if what in {"away", "back"}:
                away = what == "away"
            elif what == "again":
                if not away:  # a store that is opened while it is away is another test's
                    team = later.enter_context(Store(team.path.parent))
            else:
                errors = []
                for store in (alone, team):
                    try:
                        step(store, what, run, name)
                    except InfrastructureError as error:
                        errors.append(error.message)
                assert len(set(errors)) in {0, 1}
                assert len(errors) in {0, 2}
            assert answers(team, run) == answers(alone, run)
        away = False
        with Store(team.path.parent) as again:
            assert again.waiting() == {}
            assert [answers(again, run) for run in (1, 2)] == [answers(alone, run) for run in (1, 2)]
            assert answers_to_all(again) == answers_to_all(alone)


def test_a_number_that_no_database_has_is_no_run(pair: Pair, tmp_path: Path) -> None:
    from kdevops.errors import UserError

    with pair() as stores:
        for store in stores:
            for number in (0, -1, 1 << 63, -(1 << 80), 10**40):
                with pytest.raises(UserError, match=f"no run {number} in"):
                    store.run(number)
