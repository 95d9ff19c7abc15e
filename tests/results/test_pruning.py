"""What goes is old or large and needed by nobody; what a kill leaves is whole, and ended by the next removal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError
from kdevops.results import pruning
from kdevops.results.check import problems
from kdevops.results.model import Outcome, Status, Subtest
from kdevops.results.occurrences import known_tests
from kdevops.results.pruning import NOTE, Limits, Whole, propose, remove, unfinished, wholes
from kdevops.results.reading import Run
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import report, rows, tid

db, file_db = stored.db, stored.file_db  # the fixtures
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def whole(number: int, *, lab: str = "demo", days: float = 0, compared: int | None = None, ended: bool = True) -> Whole:
    at = (NOW - timedelta(days=days)).isoformat()
    return Whole(number, lab, at, (number,), compared, ended, stored=60, output=40)


def numbers(*runs: Whole, lab: str | None = None, **limits: object) -> list[int]:
    found = propose({each.id: each for each in runs}, Limits(**limits), NOW, lab=lab)  # type: ignore[arg-type]
    return [each.id for each in found.runs]


OLD = timedelta(days=90)
FIVE = [whole(number, days=200 - 30 * number) for number in range(1, 6)]  # 170, 140, 110, 80 and 50 days old


def test_by_age() -> None:
    assert numbers(*FIVE, age=OLD) == [1, 2, 3]
    assert numbers(*FIVE, age=timedelta(days=1)) == [1, 2, 3, 4]  # the newest stays
    assert numbers(*FIVE, age=timedelta(days=1000)) == []


def test_by_size_the_oldest_go_until_the_others_take_no_more() -> None:
    assert numbers(*FIVE, size=500) == []
    assert numbers(*FIVE, size=499) == [1]
    assert numbers(*FIVE, size=200) == [1, 2, 3]
    assert numbers(*FIVE, size=0) == [1, 2, 3, 4]


def test_by_number_of_each_lab() -> None:
    others = [whole(6, lab="other"), whole(7, lab="other")]
    assert numbers(*FIVE, *others, keep=2) == [1, 2, 3]
    assert numbers(*FIVE, *others, keep=1) == [1, 2, 3, 4, 6]
    assert numbers(*FIVE, *others, keep=1, lab="other") == [6]
    assert numbers(*FIVE, age=OLD, keep=4) == [1]


def test_runs_that_go_on_stay_and_are_not_taken_for_the_newest() -> None:
    runs = [whole(1, days=300), whole(2, days=200), whole(3, days=199, ended=False)]
    assert numbers(*runs, age=OLD) == [1]


def test_the_run_of_the_baseline_kernel_stays_as_long_as_one_that_is_compared_with_it() -> None:
    before = whole(1, lab="before", days=200)
    more = whole(9, lab="before", days=1)
    old, young = whole(2, days=200, compared=1), whole(3, days=5, compared=1)
    assert numbers(before, old, whole(4), more, age=OLD) == [1, 2]
    assert numbers(before, old, young, whole(4), more, age=OLD) == [2]
    assert numbers(before, young, whole(4), more, size=0) == [1, 3]  # all of the group goes
    assert numbers(before, young, more, age=OLD) == []
    found = propose({each.id: each for each in (before, young, more)}, Limits(OLD), NOW)
    assert found.stays == {1: "run 3, which is compared with it, is among the newest of lab demo"}


def test_what_is_needed_stays_and_it_is_said_why() -> None:
    found = propose(
        {each.id: each for each in FIVE}, Limits(OLD), NOW, keeps=lambda number: "open" if number == 2 else ""
    )
    assert [each.id for each in found.runs] == [1, 3]
    assert found.stays == {2: "open"}


@st.composite
def histories(draw: st.DrawFn) -> dict[int, Whole]:
    found: dict[int, Whole] = {}
    for number in range(1, draw(st.integers(1, 12)) + 1):
        compared = draw(st.none() | st.sampled_from(sorted(found))) if found else None
        found[number] = whole(
            number,
            lab=draw(st.sampled_from("abc")),
            days=draw(st.integers(0, 200)),
            compared=compared,
            ended=draw(st.booleans()),
        )
    return found


@given(
    histories(),
    st.none() | st.integers(0, 200),
    st.none() | st.integers(0, 1200),
    st.integers(1, 3),
    st.none() | st.just("a"),
    st.sets(st.integers(1, 12)),
)
def test_nothing_goes_that_must_stay(
    runs: dict[int, Whole], days: int | None, size: int | None, keep: int, lab: str | None, needed: set[int]
) -> None:
    limits = Limits(None if days is None else timedelta(days=days), size, keep)
    found = propose(runs, limits, NOW, lab=lab, keeps=lambda number: "needed" if number in needed else "")
    gone = {each.id for each in found.runs}
    assert len(gone) == len(found.runs)
    assert not gone & needed
    assert not gone & found.stays.keys()
    assert all(runs[number].ended for number in gone)
    for name in "abc":
        latest = sorted(number for number, each in runs.items() if each.lab == name and each.ended)[-keep:]
        assert not gone & set(latest)
    assert all(each.compared not in gone for each in runs.values() if each.id not in gone)


@pytest.fixture
def place(db: Store):
    return lambda number: db.path.parent / "runs" / str(number)


def run_of(db: Store, *names: str, decides: int | None = None) -> int:
    number = db.create_run("demo", rows(*names), {"kernel": {"release": "6.1"}}, decides=decides)
    subtests = tuple(Subtest(f"s{n}", Status.PASS) for n in range(20))
    for name in names:
        db.started(number, tid(name), "demo-1")
        db.ended(number, tid(name), Outcome(Status.FAIL, 1, subtests=subtests, reports=(report("x", text="y" * 9000),)))
    db.finish(number)
    db.keep_evidence(number, "commit 1", b"x\x9c\x03\x00\x00\x00\x00\x01")
    return number


def output(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "a.log").write_bytes(b"x" * 100_000)


def groups_of(db: Store, place: object, *chosen: int) -> list[list[Whole]]:
    found = wholes(db, place, lambda _: None)  # type: ignore[arg-type]
    return [[found[number]] for number in chosen]


def test_a_run_goes_with_its_reruns_and_its_room(db: Store, place, store_url: str) -> None:
    for _ in range(3):
        run_of(db, *(f"t{n}" for n in range(50)))
    run_of(db, "t1", decides=1)
    run_of(db, "only here")
    for number in (1, 2, 4):
        output(place(number))
    db.compact()
    before = db.size()
    found = wholes(db, place, lambda _: None)
    assert [(each.id, each.members, each.output) for each in found.values()] == [
        (1, (1, 4), 200_000), (2, (2,), 100_000), (3, (3,), 0), (5, (5,), 0),
    ]  # fmt: skip
    freed = remove(db, groups_of(db, place, 1, 5), place)
    if store_url:
        assert freed == 200_000  # the database keeps its room for itself
        assert not any(each.stored for each in found.values())
    else:
        assert before - db.size() > before / 4
        assert 200_000 + before / 4 < freed < 200_000 + before
    assert [each.id for each in db.runs()] == [3, 2]
    assert problems(db) == []
    assert [place(number).exists() for number in (1, 2, 4)] == [False, True, False]
    assert "only here" not in {test.name for test in known_tests(db)}
    assert len(known_tests(db)) == 50
    assert not unfinished(place(0).parent)
    assert run_of(db, "a") == 6  # no number is given twice


TABLES = ("planned", "outcome", "subtest", "report", "journal")


def test_nothing_else_can_be_deleted_afterwards(file_db: Store) -> None:
    run_of(file_db, "a"), run_of(file_db, "b")
    place = file_db.path.parent.joinpath
    remove(file_db, groups_of(file_db, lambda number: place("runs", str(number)), 1), lambda n: place("runs", str(n)))
    with closing(sqlite3.connect(file_db.path)) as raw:
        for table in (*TABLES, "evidence"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(f"DELETE FROM {table}")


def after_a_removal(db: Store, statement: str) -> None:
    """Execute a statement in the same transaction."""
    with db.together():
        with db.deleting():
            db.change("DELETE FROM subtest WHERE number < 0")
        db.change(statement)


def test_nothing_is_deleted_without_saying_so(db: Store, place) -> None:
    run_of(db, "a"), run_of(db, "b")
    remove(db, groups_of(db, place, 1), place)
    for table in TABLES:
        with pytest.raises(Exception, match="append-only"):
            db.change(f"DELETE FROM {table}")
        with pytest.raises(Exception, match="append-only"):
            after_a_removal(db, f"DELETE FROM {table}")
    assert len(db.outcomes(2)[tid("b")].subtests) == 20


def test_a_run_that_is_stored_meanwhile_keeps_what_it_may_need(db: Store, place) -> None:
    run_of(db, "a"), run_of(db, "b")
    with pytest.raises(InfrastructureError, match="stored meanwhile"):
        remove(db, groups_of(db, place, 1), place, known=1)
    assert [each.id for each in db.runs()] == [2, 1]
    remove(db, groups_of(db, place, 1), place, known=2)
    assert [each.id for each in db.runs()] == [2]


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("step", ["_write_note", "first", "tests", "_finish", "compact"])
def test_a_kill_leaves_whole_runs_and_the_next_removal_ends_the_work(
    db: Store, place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for number in (1, 2, 3):
        run_of(db, f"t{number}", f"u{number}")
        output(place(number))
    groups = groups_of(db, place, 1, 2)
    with monkeypatch.context() as patch:
        change, finish, calls = Store.change, pruning._finish, []

        def at_statement(self: Store, statement: str, **values: object) -> None:
            calls.append(statement)
            if (step == "first" and len(calls) == 13) or (step == "tests" and "FROM test" in statement):
                raise KilledError
            change(self, statement, **values)

        def at_end(*arguments: object) -> int:
            if groups and calls:
                raise KilledError
            return finish(*arguments)  # type: ignore[arg-type]

        def killed(*_: object) -> None:
            raise KilledError

        patch.setattr(Store, "change", at_statement)
        if step == "_finish":
            patch.setattr(pruning, "_finish", at_end)
        elif step == "_write_note":
            patch.setattr(pruning, "_write_note", killed)
        elif step == "compact":
            patch.setattr(Store, "compact", killed)
        with pytest.raises(KilledError):
            remove(db, groups, place)
    assert problems(db) == []
    there = {each.id for each in db.runs()}
    assert 3 in there
    assert all(place(number).exists() for number in there)  # no run has lost its output
    assert step == "_write_note" or unfinished(place(0).parent) or step == "compact"
    remove(db, groups_of(db, place, *(there - {3})), place)
    assert [each.id for each in db.runs()] == [3]
    assert [path.name for path in place(0).parent.iterdir()] == ["3"]
    assert problems(db) == []


@pytest.mark.parametrize("text", ["", "{", "7", '{"a": 1}', '["a"]', "[[1]]"])
def test_a_note_that_is_none_removes_nothing(db: Store, place, text: str) -> None:
    run_of(db, "a")
    output(place(1))
    output(place(2))  # of a run that a damaged store has lost
    (place(0).parent / NOTE).write_text(text)
    remove(db, [], place)
    assert place(1).exists()
    assert place(2).exists()


def test_a_store_in_use_keeps_its_room_and_that_is_said(db: Store, place, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(db, "a"), run_of(db, "b")

    def busy(self: Store) -> None:
        raise InfrastructureError("another process has kept the result store locked")

    monkeypatch.setattr(Store, "compact", busy)
    with pytest.raises(InfrastructureError, match="the runs are removed, but the room") as told:
        remove(db, groups_of(db, place, 1), place)
    assert "kdevops results prune" in (told.value.hint or "")
    assert [each.id for each in db.runs()] == [2]


def test_runs_have_what_is_asked_of_them(db: Store, place) -> None:
    run_of(db, "a")
    db.create_run("demo", rows("a"), {"compared_with": 1})
    db.create_run("demo", rows("a"), {}, decides=1)

    def compared(run: Run) -> int | None:
        return run.record.get("compared_with")

    found = wholes(db, place, compared)
    assert [(each.members, each.compared, each.ended) for each in found.values()] == [
        ((1, 3), None, False),
        ((2,), 1, False),
    ]
