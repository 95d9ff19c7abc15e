from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow
from kdevops.run.drive.work import Work, queue_of

ids = st.builds(TestId, st.sampled_from(["kunit", "selftests"]), st.just("default"), st.text(min_size=1, max_size=5))
rows = st.lists(st.builds(PlannedRow, ids, st.just(10.0), st.none() | st.floats(0, 1000)), unique_by=lambda row: row.id)


@given(rows)
def test_every_planned_test_is_in_the_queue_exactly_once(plan: list[PlannedRow]) -> None:
    queue = queue_of(plan, boot_suites={"kunit"})
    seen: list[TestId] = []
    while work := queue.pull():
        seen += work.tests
    assert sorted(seen) == sorted(row.id for row in plan)


@given(rows)
def test_boot_suites_come_first_then_the_longest(plan: list[PlannedRow]) -> None:
    queue = queue_of(plan, boot_suites={"kunit"})
    order: list[Work] = []
    while work := queue.pull():
        order.append(work)
    assert [work.boot for work in order] == sorted((work.boot for work in order), reverse=True)
    lengths = [work.expected for work in order if not work.boot]
    assert lengths == sorted(lengths, reverse=True)
    assert sum(work.boot for work in order) <= 1


def test_work_given_back_remembers_how_often_it_was_lost() -> None:
    work = Work("s", (TestId("s", "default", "a"),))
    assert work.again().again().lost == 2
