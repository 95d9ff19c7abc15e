from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.lab.model import Lab
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.plan.deadline import UNKNOWN, deadline
from kdevops.run.plan.expected import FEW, expected_seconds
from kdevops.run.plan.plan import plan
from kdevops.suites.base import PlannedTest

names = st.integers(0, 30).map(lambda number: f"generic/{number:03}")
groups = st.lists(st.sampled_from(["auto", "quick", "rw"]), unique=True).map(tuple)
plans = st.dictionaries(names, groups, max_size=30).map(lambda each: [planned(*item) for item in each.items()])


def planned(name: str, groups: tuple[str, ...] = ("auto",), profile: str = "xfs_crc") -> PlannedTest:
    return PlannedTest(TestId("fstests", profile, name), None, groups=groups)


def seen(group: str, durations: list[float], *also: str) -> tuple[list[PlannedTest], dict[TestId, float]]:
    tests = [planned(f"{group}/{number:03}", (group, *also)) for number in range(len(durations))]
    return tests, {test.id: seconds for test, seconds in zip(tests, durations, strict=True)}


def test_what_was_seen_is_expected_again() -> None:
    test = planned("generic/001")
    assert expected_seconds([test], {test.id: 7.0}) == {test.id: 7.0}


def test_an_unseen_test_gets_the_90th_percentile_of_its_group() -> None:
    tests, known = seen("auto", [float(number) for number in range(100, 0, -1)])
    new = planned("generic/001")
    assert expected_seconds([*tests, new], known)[new.id] == 90.0


def test_of_several_groups_the_smallest_tells_most_unless_it_is_too_small() -> None:
    auto, slow = seen("auto", [100.0] * 20)
    quick, fast = seen("quick", [5.0] * FEW, "auto")
    rw, odd = seen("rw", [900.0] * (FEW - 1), "auto")
    new = planned("generic/001", ("auto", "rw", "quick"))
    assert expected_seconds([*auto, *quick, *rw, new], slow | fast | odd)[new.id] == 5.0
    only_few = planned("generic/002", ("rw",))
    assert expected_seconds([*rw, only_few], odd)[only_few.id] == 900.0


def test_a_test_that_other_profiles_ran_takes_as_long_as_in_the_slowest() -> None:
    tests = [planned("generic/001", profile=profile) for profile in ("xfs_crc", "xfs_nocrc", "xfs_rtdev")]
    known = {tests[0].id: 3.0, tests[1].id: 8.0}
    assert expected_seconds(tests, known)[tests[2].id] == 8.0


def test_groups_of_another_suite_and_tests_without_groups_say_nothing() -> None:
    tests, known = seen("auto", [9.0] * FEW)
    others = [PlannedTest(TestId("blktests", "default", "block/001"), None, groups=("auto",)), planned("a/001", ())]
    assert not expected_seconds([*tests, *others], known).keys() & {other.id for other in others}


@given(plans, st.dictionaries(names, st.floats(0, 1e6), max_size=30))
def test_no_expectation_is_made_up(tests: list[PlannedTest], durations: dict[str, float]) -> None:
    known = {planned(name).id: seconds for name, seconds in durations.items()}
    expected = expected_seconds(tests, known)
    assert expected.keys() <= {test.id for test in tests}
    assert all(expected[test.id] == known[test.id] for test in tests if test.id in known)
    assert set(expected.values()) <= {known[test.id] for test in tests if test.id in known}
    told = {group for test in tests if test.id in known for group in test.groups}
    for test in tests:
        assert (test.id in expected) == (test.id in known or bool(told & set(test.groups)))


@pytest.mark.parametrize("number", [2, 5])
def test_every_repeat_of_a_test_is_expected_to_take_as_long(number: int) -> None:
    once = planned("generic/001")
    again = PlannedTest(once.id.repeat(number), None, groups=once.groups)
    assert expected_seconds([once, again], {once.id: 4.0})[again.id] == 4.0


def test_what_is_only_expected_of_a_test_does_not_shorten_its_deadline(tmp_path: Path) -> None:
    seen_before, unseen, alone = planned("generic/001"), planned("generic/002"), planned("generic/003", ("rw",))
    suite = SimpleNamespace(name="fstests", tests=(seen_before, unseen, alone), record={})
    built: Any = SimpleNamespace(suites=(suite,), artifact=SimpleNamespace(release="6.1.192", config=None))
    with Store(tmp_path) as store:
        store.ended(
            store.create_run("xfs", [PlannedRow(seen_before.id, 60)], {}), seen_before.id, Outcome(Status.PASS, 400)
        )
        rows = plan(built, store, cast(Lab, SimpleNamespace(name="xfs")), tmp_path / "baselines", slowdown=8.0)
    assert rows == [
        PlannedRow(seen_before.id, deadline(400 / 8), 400),
        PlannedRow(unseen.id, UNKNOWN, 400),
        PlannedRow(alone.id, UNKNOWN, None),
    ]
