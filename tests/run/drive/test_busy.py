"""A guest in which something may still run is booted afresh before it is used again: no test runs twice at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import LostGuestError
from kdevops.results.model import Outcome, RunState, Status
from kdevops.run import arms, manual
from kdevops.run.drive import lease
from kdevops.run.drive.busy import Busy
from kdevops.run.drive.runner import drive
from tests.support.arms_bench import Bench, Interrupted, two_arms
from tests.support.local_guest import LocalGuest, LocalProvider, ShellSuite
from tests.support.toy_run import ToyRun


@dataclass
class Staying(LocalProvider):
    """Guests that persist; `asked` says of each `up` whether it had to be fresh."""

    asked: list[tuple[str, bool]] = field(default_factory=list)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> LocalGuest:
        self.asked.append((name, fresh))
        return await super().up(name, extra_cmdline=extra_cmdline, persist=persist, fresh=fresh)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path, monkeypatch)
    bench.providers["ab"] = Staying(tmp_path / "guests")
    return bench


def asked(bench: Bench) -> list[tuple[str, bool]]:
    provider = bench.providers["ab"]
    assert isinstance(provider, Staying)
    found, provider.asked = provider.asked, []
    return found


LAB = two_arms({"first": "true", "second": "true"}, compare=None)
ONE = two_arms({"first": "true"}, compare=None)


def interrupted(bench: Bench) -> None:
    bench.watcher.breaks_at = ("second", "ab-1")
    with pytest.raises(Interrupted):
        bench.start(LAB, persist=True)
    assert asked(bench) == [("ab-1", False)]


def test_a_resumed_run_gets_a_fresh_guest_where_a_test_was_in_flight(bench: Bench) -> None:
    interrupted(bench)
    bench.resume(1)
    assert asked(bench) == [("ab-1", True)]
    assert "started when the run was interrupted, and start again: commands/default/second" in bench.watcher.notes
    assert bench.runs() == [(1, "ab", RunState.COMPLETE)]
    bench.start(LAB)
    assert asked(bench) == [("ab-1", False)], "and is used on after that"


def test_a_new_run_gets_a_fresh_guest_too(bench: Bench) -> None:
    interrupted(bench)
    bench.start(ONE)
    assert asked(bench) == [("ab-1", True)]


def test_so_does_whoever_brings_the_guest_up_by_hand(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(*_: object) -> None: ...

    monkeypatch.setattr(manual, "_play", play)
    interrupted(bench)
    for fresh in (True, False):
        asyncio.run(arms.up(LAB, bench.dirs, bench.watcher.handle))
        assert asked(bench) == [("ab-1", fresh)]


def test_it_stays_to_be_told_when_the_controller_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that is killed runs none of its ends."""
    bench.start(LAB, persist=True)
    written = bench.dirs.lab("ab") / "busy.json"
    assert not written.exists(), "nothing is left of a run that came to its end"
    seen: list[object] = []
    bench.providers["ab"].boots.clear()
    monkeypatch.setattr(bench.watcher, "plan", lambda *_: None)

    def look(event: object) -> None:
        if getattr(event, "test", None) and not seen:
            seen.append(json.loads(written.read_bytes()))

    monkeypatch.setattr(bench.watcher, "handle", look)
    bench.start(LAB, persist=True)
    assert seen == [["ab-1"]], "it is on disk before the first test begins"


def test_a_guest_that_waited_for_work_is_not_booted_again(tmp_path: Path) -> None:
    bench = ToyRun(tmp_path)
    bench.provider = Staying(tmp_path / "guests")
    busy = Busy(tmp_path)
    job = bench.job(ShellSuite({"long": "sleep 600", "short": "true"}), guests=2)
    object.__setattr__(job, "busy", busy)

    async def main() -> None:
        task = asyncio.current_task()
        assert task

        async def cancel() -> None:
            while bench.statuses() != {"short": Status.PASS}:  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.05)
            task.cancel()

        async with asyncio.TaskGroup() as group:
            group.create_task(cancel())
            await drive(job, ["g0", "g1"], persist=True)

    with pytest.raises((asyncio.CancelledError, BaseExceptionGroup)):
        asyncio.run(main())
    (ran_short,) = [outcome.guest for outcome in bench.outcomes().values()]
    assert ran_short not in busy
    assert {"g0": "g1", "g1": "g0"}[ran_short] in busy


def test_a_guest_whose_test_was_lost_sight_of_is_not_given_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = ToyRun(tmp_path)
    provider = bench.provider = Staying(tmp_path / "guests")
    real = lease.execute
    lost: list[str] = []

    async def execute(*arguments: object, **options: object) -> object:
        if not lost:
            lost.append("once")
            raise LostGuestError("the connection broke")
        return await real(*arguments, **options)  # type: ignore[arg-type]

    async def outcome_of_loss(_: object, error: Exception, *__: object, **___: object) -> Outcome:
        raise error

    monkeypatch.setattr(lease, "execute", execute)
    monkeypatch.setattr(lease, "outcome_of_loss", outcome_of_loss)
    bench.drive(bench.job(ShellSuite({"a": "true", "b": "true"}), seconds=1))
    assert set(bench.statuses().values()) == {Status.PASS}
    assert [fresh for _, fresh in provider.asked][:2] == [False, True]


def test_what_cannot_be_read_is_taken_for_busy(tmp_path: Path) -> None:
    busy = Busy(tmp_path)
    assert "g0" not in busy
    (tmp_path / "busy.json").write_bytes(b"\xff")
    assert "g0" in busy
    busy.begin(["g1"])
    busy.end(["g0", "g1"])
    assert "g0" not in busy


names = st.sets(st.text(min_size=1, max_size=8))


@given(names, names, names)
def test_who_is_busy(
    tmp_path_factory: pytest.TempPathFactory, before: set[str], begun: set[str], ended: set[str]
) -> None:
    busy = Busy(tmp_path_factory.mktemp("lab"))
    busy.begin(before)
    busy.begin(begun)
    busy.end(ended)
    left = (before | begun) - ended
    assert {name for name in before | begun | ended if name in Busy(busy.directory)} == left
    assert (busy.directory / "busy.json").exists() == bool(left)  # type: ignore[operator]
