from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.plan.narrow import among, gone_wrong, narrowed, told

S = Status
ONE, TWO, FUTEX = (
    TestId("fstests", "xfs_crc", "generic/001"),
    TestId("fstests", "xfs_crc", "generic/002"),
    TestId("selftests", "default", "futex:run.sh"),
)
PLAN = [PlannedRow(test, 60) for test in (ONE, ONE.repeat(2), TWO, FUTEX)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


def run_of(store: Store, *statuses: Status, finished: bool = True) -> int:
    run = store.create_run("lab", PLAN, {})
    for row, status in zip(PLAN, statuses, strict=False):
        store.ended(run, row.id, Outcome(status))
    if finished:
        store.finish(run)
    return run


@pytest.mark.parametrize(
    ("pattern", "tests"),
    [
        ("generic/001", [ONE, ONE.repeat(2)]),
        ("xfs_crc/generic/00?", [ONE, ONE.repeat(2), TWO]),
        ("fstests/*", [ONE, ONE.repeat(2), TWO]),
        ("generic/001#2", [ONE.repeat(2)]),
    ],
)
def test_a_name_stands_for_all_repeats(pattern: str, tests: list[TestId]) -> None:
    assert [row.id for row in narrowed(PLAN, [pattern])] == tests


@pytest.mark.parametrize("status", [S.FAIL, S.CRASH, S.HANG, S.MISSING])
def test_what_went_wrong_once_is_run_with_all_its_repeats(store: Store, status: Status) -> None:
    run = run_of(store, S.PASS, status, S.SKIP, S.PASS)
    rows, absent = among(PLAN, gone_wrong(store, run))
    assert [row.id for row in rows] == [ONE, ONE.repeat(2)]
    assert not absent


def test_what_an_interrupted_run_never_reached_counts_too(store: Store) -> None:
    assert gone_wrong(store, run_of(store, S.PASS, S.PASS, finished=False)) == {TWO, FUTEX}


def test_there_must_be_such_a_run_and_something_wrong_in_it(store: Store) -> None:
    with pytest.raises(UserError, match="no run 7 in"):
        gone_wrong(store, 7)
    with pytest.raises(UserError, match="nothing went wrong in run 1"):
        gone_wrong(store, run_of(store, S.PASS, S.PASS, S.SKIP, S.PASS))


def test_what_is_not_planned_now_is_told(store: Store) -> None:
    failed = gone_wrong(store, run_of(store, S.FAIL, S.FAIL, S.FAIL, S.FAIL))
    rows, absent = among(PLAN[:2], failed)
    assert ([row.id for row in rows], absent) == ([ONE, ONE.repeat(2)], {TWO, FUTEX})
    assert told(absent, limit=1) == "fstests/xfs_crc/generic/002 and 1 more"
    with pytest.raises(UserError, match=r"none of the tests .* is planned now: fstests/xfs_crc/generic/002"):
        among(PLAN[:2], {TWO})
