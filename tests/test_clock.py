"""Deadlines of a process that is held up, and of machines that are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import clock
from kdevops.clock import LAG, POLL, Clock, OutOfTimeError, within

seconds = st.floats(0, 100, allow_nan=False)


class Time:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(clock, "now", lambda: self.now)


@pytest.mark.parametrize(
    ("ticks", "counted", "lost"),
    [
        ([(0.5, ""), (0.5, "")], 1.0, 0.0),
        ([(LAG, "")], LAG, 0.0),
        ([(0.5, ""), (3600.0, ""), (0.5, "")], 1.0 + POLL, 3600 - POLL),  # suspended for an hour
        ([(0.5, ""), (0.5, "full"), (8.0, "full"), (0.5, ""), (0.5, "")], 1.0, 9.0),  # neither edge of a hold counts
    ],
)
def test_only_time_in_which_both_could_work_counts(
    monkeypatch: pytest.MonkeyPatch, ticks: Sequence[tuple[float, str]], counted: float, lost: float
) -> None:
    there = Time(monkeypatch)
    measured = Clock()
    for gap, held in ticks:
        there.now += gap
        measured.tick(held)
    assert measured.counted == pytest.approx(counted)
    assert measured.lost == pytest.approx(lost)


@given(st.lists(st.tuples(seconds, st.sampled_from(["", "full"]))))
def test_every_second_is_counted_or_lost(ticks: Sequence[tuple[float, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        there = Time(patch)
        measured = Clock()
        for gap, held in ticks:
            there.now += gap
            before = measured.counted
            measured.tick(held)
            assert before <= measured.counted <= before + min(gap, LAG) + 1e-6
        assert measured.counted + measured.lost == pytest.approx(sum(gap for gap, _ in ticks))


def test_a_machine_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    there, ticks = Time(monkeypatch), 0
    measured = Clock()
    while not measured.given_up:
        there.now, ticks = there.now + 1, ticks + 1
        measured.tick("full")
    assert ticks == pytest.approx(clock.MAX_HELD, abs=2)
    measured.tick("")
    assert not measured.given_up


def test_work_that_ends_in_time_gives_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert asyncio.run(within(work(), 30)) == 7
    assert asyncio.run(within(work(), None)) == 7


async def _endless(ended: list[bool]) -> None:
    try:
        await asyncio.sleep(600)
    finally:
        ended.append(True)


def test_work_that_does_not_end_is_cancelled() -> None:
    ended: list[bool] = []

    with pytest.raises(OutOfTimeError):
        asyncio.run(within(_endless(ended), 0.05))
    assert ended


def test_the_cancellation_of_who_waits_is_the_work_s() -> None:
    ended: list[bool] = []

    async def main() -> None:
        task = asyncio.create_task(within(_endless(ended), 600))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended


def test_a_process_that_was_held_up_gives_the_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "LAG", 0.3)
    monkeypatch.setattr(clock, "POLL", 0.05)

    async def main() -> None:
        async def work() -> None:
            for _ in range(10):
                await asyncio.sleep(0.01)

        task = asyncio.create_task(within(work(), 0.9))
        await asyncio.sleep(0.01)
        time.sleep(1.5)  # noqa: ASYNC251 - nothing of this process goes on meanwhile
        await task

    asyncio.run(main())


def test_a_machine_that_is_held_has_the_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "POLL", 0.01)
    asked = 0

    async def held() -> str:
        nonlocal asked
        asked += 1
        return "full" if asked < 60 else ""

    async def work() -> int:
        while asked < 70:  # noqa: ASYNC110 - it stands for a machine
            await asyncio.sleep(0.01)
        return 1

    assert asyncio.run(within(work(), 0.3, held=held)) == 1
    asked = 0
    monkeypatch.setattr(clock, "MAX_HELD", 0.1)
    with pytest.raises(OutOfTimeError) as caught:
        asyncio.run(within(work(), 60, held=held))
    assert caught.value.held == "full"
