"""A harness in a guest against real processes: each of its tests has one status, whatever it or the guest does."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chunk_suite import ToySuite
from local_guest import LocalProvider

from kdevops.results.events import RunEvent
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run import chunk
from kdevops.run.furnish import Furniture
from kdevops.run.job import Job
from kdevops.run.runner import Drained, drive
from kdevops.run.work import queue_of

PANIC = "[   12.345678] Kernel panic - not syncing: sysrq triggered crash"
KASAN = "[    3.000000] BUG: KASAN: use-after-free in xfs_foo+0x1/0x2"
WARNING = "[    3.000000] WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_foo.c:1 xfs_foo+0x1/0x2"


@dataclass
class Bench:
    path: Path
    store: Store
    provider: LocalProvider
    events: list[RunEvent]
    run_id: int = 0

    @property
    def guest(self) -> Path:
        return self.provider.directory / "g0"

    def die(self, last_words: str = "") -> str:
        return f"echo '{last_words}' >> {self.guest}/console.log; rm -f {self.guest}/up; sleep 60"

    def run(self, scripts: dict[str, str], *, guests: int = 1, seconds: float = 1.0, **settings: Any) -> Drained:
        suite = ToySuite(scripts, self.path / "leftovers", **settings)
        rows = [PlannedRow(test.id, test.timeout or 30.0, seconds) for test in suite.tests]
        known = {test.id for test in suite.tests if test.known}
        self.run_id = self.store.create_run("lab", rows, {})
        job = Job(
            run=self.run_id,
            directory=self.path / "run",
            provider=self.provider,
            store=self.store,
            queue=queue_of(rows, guests, chunk_suites={"toy"}, last=known),
            tests={test.id: test for test in suite.tests},
            guest_suites={},
            boot_suites={},
            chunk_suites={"toy": suite},
            emit=self.events.append,
            furniture=Furniture(platform.release()),
        )
        return asyncio.run(drive(job, [f"g{n}" for n in range(guests)], keep=False))

    def outcome(self, name: str) -> Outcome:
        return self.store.outcomes(self.run_id)[TestId("toy", "default", name)]

    def statuses(self) -> dict[str, Status]:
        return {test.name: outcome.status for test, outcome in self.store.outcomes(self.run_id).items()}

    def troubles(self) -> list[str]:
        return [entry.text for entry in self.store.journal(self.run_id) if entry.kind == "infrastructure"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Store(tmp_path), LocalProvider(tmp_path / "guests"), [])


def test_one_start_of_the_harness_serves_many_tests(bench: Bench) -> None:
    starts = bench.path / "starts"
    scripts = {"a": "true", "b": "exit 1", "c": "exit 4"}
    drained = bench.run(scripts, before=f"echo x >> {starts}")
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL, "c": Status.SKIP}
    assert starts.read_text().count("x") == 1
    assert len(bench.provider.boots) == 1


def test_two_guests_share_a_profile(bench: Bench) -> None:
    counter = bench.path / "ran"
    drained = bench.run({f"t{n}": f"echo {n} >> {counter}; sleep 0.01" for n in range(40)}, guests=2)
    assert drained.state is RunState.COMPLETE
    assert sorted(map(int, counter.read_text().split())) == list(range(40))
    assert {outcome.guest for outcome in bench.store.outcomes(bench.run_id).values()} == {"g0", "g1"}


def test_a_crash_costs_one_test_and_the_rest_goes_on_in_a_fresh_guest(bench: Bench) -> None:
    drained = bench.run({"a": "true", "b": bench.die(PANIC), "c": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.CRASH, "c": Status.PASS}
    assert "sysrq triggered crash" in bench.outcome("b").oops
    assert len(bench.provider.boots) == 2
    assert bench.troubles() == []


def test_a_guest_that_goes_without_a_word_has_the_test_in_flight_tried_alone(bench: Bench) -> None:
    once = f"test -e {bench.path}/once && exit 0; touch {bench.path}/once; {bench.die()}"
    assert bench.run({"a": "true", "unlucky": once, "z": "true"}).state is RunState.COMPLETE
    assert set(bench.statuses().values()) == {Status.PASS}
    assert len(bench.troubles()) == 1


def test_a_test_that_always_takes_the_guest_down_is_a_crash(bench: Bench) -> None:
    assert bench.run({"a": "true", "killer": bench.die(), "z": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "killer": Status.CRASH, "z": Status.PASS}
    assert "3 times in a row" in bench.outcome("killer").reason


def test_a_test_past_its_deadline_hangs_and_the_kernel_is_asked_why(bench: Bench) -> None:
    drained = bench.run({"a": "true", "slow": "sleep 600", "z": "true"}, timeout=1)
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "slow": Status.HANG, "z": Status.PASS}
    assert "8wt" in (bench.path / "run/toy/default/slow.console").read_text()
    assert len(bench.provider.boots) == 2, "a guest in which something hangs is not used on"


def test_a_harness_that_dies_under_a_test_has_it_tried_alone_before_it_counts(bench: Bench) -> None:
    assert bench.run({"a": "true", "b": "kill -9 $$", "z": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL, "z": Status.PASS}
    assert "exit code 137" in bench.outcome("b").reason
    assert len(bench.troubles()) == 3


def test_a_harness_that_refuses_leaves_all_its_tests_missing_with_the_reason(bench: Bench) -> None:
    drained = bench.run({f"t{n}": "true" for n in range(9)}, before="echo refused: no such disk; exit 1", seconds=100)
    assert drained.state is RunState.INCOMPLETE
    assert set(bench.statuses().values()) == {Status.MISSING}
    assert {outcome.reason for outcome in bench.store.outcomes(bench.run_id).values()} == {"refused: no such disk"}
    assert len(bench.provider.boots) == 2, "once more on a fresh guest, then never again"


def test_a_silent_harness_is_infrastructure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "IDLE", 0.5)
    drained = bench.run({"a": "true"}, before="sleep 600")
    assert drained.state is RunState.INCOMPLETE
    assert "said nothing" in bench.troubles()[0]


def test_tests_that_the_harness_passes_over_are_missing_not_passed(bench: Bench) -> None:
    drained = bench.run({"a": "true", "b": "true"}, before="shift 2")
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.MISSING, "b": Status.PASS}


def test_a_report_of_the_kernel_is_kept_with_a_passing_test_and_ends_the_guest(bench: Bench) -> None:
    drained = bench.run({"a": f"echo '{KASAN}' >> {bench.guest}/console.log", "b": "sleep 2"})
    assert drained.state is RunState.COMPLETE
    assert bench.outcome("a").oops.startswith("BUG: KASAN")
    assert len(bench.provider.boots) == 2


def test_a_mere_warning_is_kept_and_the_chunk_goes_on(bench: Bench) -> None:
    bench.run({"a": f"echo '{WARNING}' >> {bench.guest}/console.log", "b": "true"})
    assert bench.outcome("a").oops.startswith("WARNING")
    assert bench.outcome("b").oops == ""
    assert len(bench.provider.boots) == 1


def test_what_a_sweep_finds_ends_the_guest(bench: Bench) -> None:
    left = f"{bench.path}/loop0"
    sweep = f"test ! -e {left} || {{ rm {left}; echo a loop device is left; }}"
    bench.run({f"t{n}": f"touch {left}" for n in range(2)}, sweep=sweep, seconds=100)
    assert len(bench.provider.boots) == 2


def test_a_sweep_that_fails_says_nothing_good_of_the_guest(bench: Bench) -> None:
    assert bench.run({"a": "true"}, sweep="exit 3").state is RunState.INCOMPLETE
    assert "could not be found out (exit code 3)" in bench.troubles()[0]


def test_a_guest_that_is_unfit_from_the_start_is_infrastructure(bench: Bench) -> None:
    assert bench.run({"a": "true"}, sweep="echo the root file system is full").state is RunState.INCOMPLETE
    assert "is not fit for tests: the root file system is full" in bench.troubles()[0]


def test_what_a_test_leaves_behind_is_kept_even_when_the_next_one_crashes(bench: Bench) -> None:
    left = bench.path / "leftovers/a"
    leave = f"mkdir -p {left}/generic; head -c 3000000 /dev/zero > {left}/generic/a.full; exit 1"
    bench.run({"a": leave, "b": f"sleep 2; {bench.die(PANIC)}"})
    kept = bench.path / "run/toy/default/generic/a.full"
    assert kept.stat().st_size == 1 << 20
    assert bench.statuses() == {"a": Status.FAIL, "b": Status.CRASH}


def test_a_record_that_contradicts_the_stream_is_reported(bench: Bench) -> None:
    record = bench.path / "leftovers/record"
    bench.run({"a": f"mkdir -p {record}; echo -n check.time says 99 > {record}/says-otherwise"})
    assert bench.troubles() == ["check.time says 99"]


def test_known_failures_come_last(bench: Bench) -> None:
    order = bench.path / "order"
    scripts = {name: f"echo {name} >> {order}" for name in "abcde"}
    bench.run(scripts, known=frozenset({"a", "c"}), seconds=100)
    assert sorted(order.read_text().split()[-2:]) == ["a", "c"]


def test_cancelled_in_a_chunk_nothing_finished_is_lost(bench: Bench) -> None:
    async def soon(task: asyncio.Task[Any]) -> None:
        while len(bench.store.outcomes(1)) < 2:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)
        task.cancel()

    original = drive

    async def cancelled(*arguments: Any, **settings: Any) -> Drained:
        task = asyncio.current_task()
        assert task
        watcher = asyncio.create_task(soon(task))
        try:
            return await original(*arguments, **settings)
        finally:
            await watcher

    globals()["drive"] = cancelled
    try:
        with pytest.raises(asyncio.CancelledError):
            bench.run({"a": "true", "b": "exit 1", "long": "sleep 600"})
    finally:
        globals()["drive"] = original
    assert bench.store.run(1).state is RunState.INTERRUPTED
    assert {test.name: outcome.status for test, outcome in bench.store.outcomes(1).items()} == {
        "a": Status.PASS,
        "b": Status.FAIL,
    }
