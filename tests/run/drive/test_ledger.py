"""Each test of a chunk leaves its ledger exactly once, whatever happens to the chunk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import Position
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.job import MAX_LOST
from kdevops.run.drive.ledger import Ledger
from kdevops.run.drive.work import Work
from kdevops.suites.base import PlannedTest

TESTS = tuple(TestId("toy", "default", name) for name in "abcd")
HANG = Outcome(Status.HANG, 9.0, "slow")


class Queue:
    """Where tests go that get no status."""

    def __init__(self) -> None:
        self.again: list[TestId] = []
        self.pooled: list[TestId] = []
        self.works: list[Work] = []

    def put(self, work: Work) -> None:
        self.works.append(work)
        self.again += work.tests

    def pool(self, test: TestId, expected: float | None, *, last: bool = False) -> None:
        self.pooled.append(test)

    def drop(self, suite: str, profile: str) -> tuple[TestId, ...]:
        return ()


class Bench:
    def __init__(self, *, work_lost: int = 0, held: float = 0.0) -> None:
        self.ended: list[tuple[TestId, Outcome]] = []
        self.finished: list[TestId] = []
        self.queue = Queue()
        self.pace = SimpleNamespace(seconds=0.0, lost=0.0, why="the disk was full")
        self.held = held
        job = SimpleNamespace(
            tests={test: PlannedTest(test, 10.0, 1.0) for test in TESTS},
            chunk_suites={"toy": SimpleNamespace(console_mark=lambda test: f"run {test.name}")},
            queue=self.queue,
            begin=lambda test, guest: None,
            end=lambda test, outcome: self.ended.append((test, outcome)),
            trouble=lambda guest, text: None,
            stray=lambda guest, lines, when: (),
            keep=lambda name, lines: None,
            output_name=lambda test, suffix=".log": f"{test.name}{suffix}",
            servers_said=lambda when: None,
        )
        log = SimpleNamespace(cut=lambda upto=None: [], before=lambda marks, end: None)
        guest = SimpleNamespace(console=Path("/nonexistent"))
        self.ledger = Ledger(
            cast(Any, job), "g0", cast(Any, guest), Work("toy", TESTS, lost=work_lost), cast(Any, log),
            cast(Any, self.pace), self.finished.append,
        )  # fmt: skip

    def left_the_ledger(self) -> Counter[TestId]:
        return Counter([test for test, _ in self.ended] + self.queue.again + self.queue.pooled)

    def begin(self, test: TestId) -> None:
        self.ledger.begin(test, self.pace.seconds)
        self.pace.seconds += 5.0
        self.pace.lost += self.held

    def apply(self, deed: str, test: TestId, status: Status) -> None:
        current = self.ledger.current
        match deed:
            case "begin":
                self.begin(test)
            case "finish":
                self.ledger.finish(test, Outcome(status, 1.0, "said"), "text", Position(0))
            case "alone" if current:
                self.ledger.try_alone(current.test, "the guest was lost", Outcome(status, reason="often"))
            case "give back":
                self.ledger.give_back()
            case "all again":
                self.ledger.all_again()
            case "all missing":
                self.ledger.all_missing("it refuses", alike=True)


DEEDS = st.sampled_from(["begin", "finish", "alone", "give back", "all again", "all missing"])
STORIES = st.lists(st.tuples(DEEDS, st.sampled_from(TESTS), st.sampled_from(list(Status))), max_size=20)


@given(STORIES, st.integers(0, MAX_LOST), st.sampled_from([0.0, 30.0]))
def test_each_test_leaves_once(story: list[tuple[str, TestId, Status]], work_lost: int, held: float) -> None:
    bench = Bench(work_lost=work_lost, held=held)
    for deed in story:
        bench.apply(*deed)
        gone = bench.left_the_ledger()
        assert set(gone.values()) <= {1}, "no test has two statuses, or a status and another try"
        assert gone.keys() | bench.ledger.left.keys() == set(TESTS), "no test is lost"
        assert not gone.keys() & bench.ledger.left.keys()
    bench.ledger.give_back()
    assert bench.left_the_ledger() == Counter(TESTS)


@pytest.mark.parametrize(
    ("work_lost", "held", "ended", "again"),
    [
        pytest.param(0, 0.0, [Status.HANG], [], id="nothing explains it but the test"),
        pytest.param(0, 30.0, [], [TESTS[0]], id="the machine was held: it runs again"),
        pytest.param(MAX_LOST, 30.0, [Status.MISSING], [], id="held in the last try, too: no result"),
    ],
)
def test_a_hang_that_a_hold_explains_is_never_a_result(
    work_lost: int, held: float, ended: list[Status], again: list[TestId]
) -> None:
    bench = Bench(work_lost=work_lost, held=held)
    bench.begin(TESTS[0])
    bench.ledger.finish(TESTS[0], HANG)
    assert [outcome.status for _, outcome in bench.ended] == ended
    assert bench.queue.again == again


@pytest.mark.parametrize(("work_lost", "ended"), [(0, []), (MAX_LOST - 1, []), (MAX_LOST, [Status.CRASH])])
def test_the_test_in_flight_is_tried_alone_until_it_was_tried_often_enough(work_lost: int, ended: list[Status]) -> None:
    bench = Bench(work_lost=work_lost)
    bench.begin(TESTS[1])
    bench.ledger.try_alone(TESTS[1], "the guest was lost", Outcome(Status.CRASH, reason="often"))
    assert [outcome.status for _, outcome in bench.ended] == ended
    assert [(work.tests, work.lost) for work in bench.queue.works] == ([] if ended else [((TESTS[1],), work_lost + 1)])
    assert bench.ledger.current is None


def test_a_status_that_comes_twice_counts_once() -> None:
    bench = Bench()
    bench.begin(TESTS[0])
    for status in (Status.PASS, Status.FAIL):
        bench.ledger.finish(TESTS[0], Outcome(status), console_end=Position(0))
    assert [outcome.status for _, outcome in bench.ended] == [Status.PASS]
    assert bench.finished == [TESTS[0]]
    bench.ledger.begin(TESTS[0], 0.0)
    assert bench.ledger.current is None
