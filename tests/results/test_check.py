"""A store that is damaged, or that contradicts itself, is found out."""

from __future__ import annotations

import pytest

from kdevops.errors import InfrastructureError
from kdevops.results.check import MAX_TOLD, problems
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import report, rows, tid

db = stored.db  # the fixtures
file_db = stored.file_db


@pytest.fixture
def run(db: Store) -> int:
    number = db.create_run("demo", rows("a", "b"), {"kernel": {"release": "6.1"}})
    db.ended(number, tid("a"), Outcome(Status.CRASH, oops="BUG: x\n" * 1000, reports=(report("x", text="y" * 9000),)))
    assert problems(db) == []  # of one that goes on
    db.finish(number)
    return number


def test_a_store_that_is_whole_has_no_problem(db: Store, run: int) -> None:
    assert problems(db) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE total SET number = 7 WHERE status = 'crash'", "run 1: 1 outcomes are crash, its totals say 7"),
        ("DELETE FROM total WHERE status = 'crash'", "run 1: 1 outcomes are crash, its totals say 0"),
        ("UPDATE summary SET planned = 3", "run 1: 2 tests are planned, its summary says 3"),
        ("DELETE FROM summary", "run 1: 2 tests are planned, its summary says nothing"),
        ("DELETE FROM outcome WHERE status = 'missing'", "run 1 has ended, and 1 of its tests have no outcome"),
        ("UPDATE run SET record = '{}'", "the record of run 1 is not as it was written"),
        ("UPDATE outcome SET oops = 'BUG: y' WHERE oops != ''", "outcome of planned test 1 is not as it was written"),
        ("UPDATE report SET text = ''", "kernel report of planned test 1 is not as it was written"),
    ],
)
def test_what_contradicts_itself_is_told(db: Store, store_url: str, run: int, statement: str, told: str) -> None:
    stored.change(db, store_url, statement)
    with Store(db.path.parent) as other:
        assert any(told in each for each in problems(other))


def test_a_row_that_belongs_to_nothing_is_told(file_db: Store) -> None:
    number = file_db.create_run("demo", rows("a", "b"), {})
    file_db.ended(number, tid("b"), Outcome(Status.PASS))
    stored.change(file_db, "", "DELETE FROM planned WHERE name = 'b'")
    assert any("row 2 of outcome belongs to a row of planned that is not there" in each for each in problems(file_db))


def test_very_many_problems_are_bounded(db: Store, store_url: str, run: int) -> None:
    for _ in range(MAX_TOLD + 5):
        db.create_run("demo", rows("a"), {})
    stored.change(db, store_url, "UPDATE summary SET planned = 9")
    assert len(problems(db)) == MAX_TOLD + 1


def test_a_record_that_is_not_as_written_is_not_read(db: Store, store_url: str, run: int) -> None:
    stored.change(db, store_url, 'UPDATE run SET record = \'{"kernel": {"release": "6.6"}}\'')
    with (
        pytest.raises(InfrastructureError, match=r"damaged .the record of run 1 is not as it was written"),
        Store(db.path.parent) as other,
    ):
        other.run(run)
