"""The runner against real processes: every planned test ends in exactly one status, whatever the guests do."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_guest import LocalProvider, ShellSuite

from kdevops.results.events import RunEvent
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.furnish import Furniture
from kdevops.run.job import Job
from kdevops.run.runner import Drained, drive
from kdevops.run.work import queue_of

PANIC = "[   12.345678] Kernel panic - not syncing: sysrq triggered crash"


@dataclass
class Bench:
    path: Path
    store: Store
    provider: LocalProvider
    events: list[RunEvent]
    run_id: int = 0
    release: str = platform.release()

    def run(self, scripts: dict[str, str], *, guests: int = 1, timeout: float = 30, keep: bool = False) -> Drained:
        suite = ShellSuite(scripts, timeout)
        rows = [PlannedRow(test.id, test.timeout) for test in suite.tests]
        self.run_id = self.store.create_run("lab", rows, {})
        job = Job(
            run=self.run_id,
            directory=self.path / "run",
            provider=self.provider,
            store=self.store,
            queue=queue_of(rows),
            tests={test.id: test for test in suite.tests},
            guest_suites={"shell": suite},
            boot_suites={},
            emit=self.events.append,
            furniture=Furniture(self.release),
        )
        return asyncio.run(drive(job, [f"g{n}" for n in range(guests)], keep=keep))

    def outcome(self, name: str) -> Outcome:
        return self.store.outcomes(self.run_id)[TestId("shell", "default", name)]

    def statuses(self) -> dict[str, Status]:
        return {test.name: outcome.status for test, outcome in self.store.outcomes(self.run_id).items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Store(tmp_path), LocalProvider(tmp_path / "guests"), [])


def test_every_status_of_a_healthy_guest(bench: Bench) -> None:
    drained = bench.run({"good": "true", "bad": "exit 1", "skipped": "exit 4"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"good": Status.PASS, "bad": Status.FAIL, "skipped": Status.SKIP}
    assert len(bench.provider.boots) == 1, "a healthy guest is used on"


def test_output_is_kept_per_test_without_control_characters(bench: Bench) -> None:
    bench.run({"noisy": "printf 'a\\033[2Jb\\007\\n'"})
    text = (bench.path / "run" / bench.outcome("noisy").output).read_text()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.startswith("a")


def test_a_panic_is_a_crash_and_the_rest_goes_on(bench: Bench) -> None:
    guest = bench.provider.directory / "g0"
    script = f"test -e {guest}/once && exit 0; touch {guest}/once; echo '{PANIC}' >> {guest}/console.log; rm {guest}/up; sleep 60"
    drained = bench.run({"crashes": script, "other": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"crashes": Status.CRASH, "other": Status.PASS}
    assert "sysrq triggered crash" in bench.outcome("crashes").oops
    assert len(bench.provider.boots) == 2


def test_a_guest_that_goes_without_a_word_is_tried_again_before_it_counts(bench: Bench) -> None:
    guest = bench.provider.directory / "g0"
    once = f"test -e {guest}/once && exit 0; touch {guest}/once; rm {guest}/up; sleep 60"
    bench.run({"unlucky": once})
    assert bench.statuses() == {"unlucky": Status.PASS}
    entries = [entry for entry in bench.store.journal(bench.run_id) if entry.kind == "infrastructure"]
    assert len(entries) == 1


def test_a_guest_that_always_goes_without_a_word_is_a_crash(bench: Bench) -> None:
    bench.run({"killer": f"rm {bench.provider.directory}/g0/up; sleep 60", "other": "true"})
    assert bench.statuses() == {"killer": Status.CRASH, "other": Status.PASS}


def test_a_guest_that_always_halts_is_a_crash_that_says_so(bench: Bench) -> None:
    guest = bench.provider.directory / "g0"
    bench.run({"halts": f"echo '[    9.876543] reboot: System halted' >> {guest}/console.log; rm {guest}/up; sleep 60"})
    assert bench.statuses() == {"halts": Status.CRASH}
    assert bench.outcome("halts").reason == "the machine was ended from inside (reboot: System halted) 3 times in a row"


def test_a_test_past_its_deadline_hangs_and_the_guest_is_used_on(bench: Bench) -> None:
    bench.run({"slow": "sleep 600", "other": "true"}, timeout=1)
    assert bench.statuses() == {"slow": Status.HANG, "other": Status.PASS}
    assert len(bench.provider.boots) == 1


def test_no_boot_is_infrastructure_and_leaves_tests_missing(bench: Bench) -> None:
    bench.provider.refuse = 99
    drained = bench.run({"a": "true", "b": "true"}, guests=2)
    assert drained.state is RunState.INCOMPLETE
    assert len(drained.errors) == 2
    assert set(bench.statuses().values()) == {Status.MISSING}


def test_a_guest_that_never_gets_ready_is_given_up_after_two_boots(bench: Bench) -> None:
    bench.release = "6.1.0-another"
    drained = bench.run({f"t{n}": "true" for n in range(10)})
    assert drained.state is RunState.INCOMPLETE
    assert len(bench.provider.boots) == 2
    assert "runs another kernel" in drained.errors[0].message


def test_one_failed_boot_is_made_up_for(bench: Bench) -> None:
    bench.provider.refuse = 1
    assert bench.run({"a": "true", "b": "exit 1"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL}


def test_many_tests_over_many_guests_each_once(bench: Bench) -> None:
    counter = bench.path / "ran"
    scripts = {f"t{n}": f"echo {n} >> {counter}" for n in range(30)}
    assert bench.run(scripts, guests=4).state is RunState.COMPLETE
    assert sorted(map(int, counter.read_text().split())) == list(range(30))


def test_cancelled_runs_are_interrupted_and_can_go_on(bench: Bench) -> None:
    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().call_later(1, task.cancel)
        await asyncio.sleep(0)

    suite = ShellSuite({"first": "true", "long": "sleep 600"})
    rows = [PlannedRow(test.id, 30, expected) for test, expected in zip(suite.tests, (20.0, 10.0), strict=True)]
    run_id = bench.store.create_run("lab", rows, {})
    job = Job(
        run_id, bench.path / "run", bench.provider, bench.store, queue_of(rows),
        {test.id: test for test in suite.tests}, {"shell": suite}, {}, bench.events.append, Furniture(platform.release()),
    )  # fmt: skip

    async def main() -> None:
        await cancelled()
        await drive(job, ["g0"], keep=False)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert bench.store.run(run_id).state is RunState.INTERRUPTED
    assert [test.name for test in bench.store.pending(run_id)] == ["long"]
    assert not (bench.provider.directory / "g0/up").exists()


@pytest.mark.parametrize(("was_up", "keep", "is_up"), [(False, False, False), (False, True, True), (True, False, True)])
def test_guests_outlive_a_run_where_that_was_asked_for_even_when_reset(
    bench: Bench, was_up: bool, keep: bool, is_up: bool
) -> None:
    if was_up:
        asyncio.run(bench.provider.up("g0", stay=True))
    guest = bench.provider.directory / "g0"
    crash = f"test -e {guest}/once && exit 0; touch {guest}/once; rm {guest}/up; sleep 60"
    bench.run({"takes the guest down": crash}, keep=keep)
    there = bench.provider.attach("g0")
    assert (there is not None and there.stay) == is_up
