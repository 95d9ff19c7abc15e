"""The runner against real processes: every planned test ends in exactly one status, whatever the guests do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.results.model import RunState, Status
from kdevops.results.store import PlannedRow
from kdevops.run.drive.runner import Drained, drive
from kdevops.suites.base import PlannedTest
from kdevops.suites.shared.outcome import KtapReader
from tests.support.local_guest import LocalGuest, ShellSuite
from tests.support.toy_run import PANIC, ToyRun


class Bench(ToyRun):
    def run(self, scripts: dict[str, str], *, guests: int = 1, timeout: float = 30, persist: bool = False) -> Drained:
        return self.drive(self.job(ShellSuite(scripts, timeout)), guests, persist=persist)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_status_of_a_healthy_guest(bench: Bench) -> None:
    drained = bench.run({"good": "true", "bad": "exit 1", "skipped": "exit 4"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"good": Status.PASS, "bad": Status.FAIL, "skipped": Status.SKIP}
    assert bench.boots() == 1, "a healthy guest is used on"


def test_output_is_kept_per_test_without_control_characters(bench: Bench) -> None:
    bench.run({"noisy": "printf 'a\\033[2Jb\\007\\n'"})
    text = (bench.path / "run" / bench.outcome("noisy").output).read_text()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.startswith("a")


class KtapSuite(ShellSuite):
    def reader(self, test: PlannedTest) -> KtapReader:
        return KtapReader()


def test_a_result_in_the_part_of_the_output_that_is_not_kept_counts(bench: Bench) -> None:
    flood = "yes 0123456789abcdef | head -n 300000"
    script = f"echo TAP version 13; echo ok 1 a; {flood}; echo not ok 2 b; {flood}; echo 1..2"
    bench.drive(bench.job(KtapSuite({"talks": script}, 120)))
    outcome = bench.outcome("talks")
    kept = (bench.path / "run" / outcome.output).read_text()
    assert "lines left out here]" in kept
    assert "not ok 2 b" not in kept
    assert (outcome.status, outcome.reason) == (Status.FAIL, "exit code 0, but its KTAP says: b failed")
    assert [each.name for each in outcome.subtests] == ["a", "b"]


def test_a_result_behind_progress_that_is_printed_over_counts(bench: Bench) -> None:
    script = r"echo TAP version 13; yes '12% done' | head -n 20000 | tr '\\n' '\\r'; echo not ok 1 a"
    bench.drive(bench.job(KtapSuite({"talks": script}, 120)))
    assert bench.outcome("talks").reason == "exit code 0, but its KTAP says: a failed"


def test_a_panic_is_a_crash_and_the_rest_goes_on(bench: Bench) -> None:
    drained = bench.run({"crashes": bench.once(f"{bench.dies(PANIC)}; sleep 60"), "other": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"crashes": Status.CRASH, "other": Status.PASS}
    assert "sysrq triggered crash" in bench.outcome("crashes").oops
    assert bench.boots() == 2


def test_a_guest_that_goes_without_a_word_is_tried_again_before_it_counts(bench: Bench) -> None:
    bench.run({"unlucky": bench.once(f"{bench.dies()}; sleep 60")})
    assert bench.statuses() == {"unlucky": Status.PASS}
    assert len(bench.troubles()) == 1


def test_a_guest_that_always_goes_without_a_word_is_a_crash(bench: Bench) -> None:
    bench.run({"killer": f"{bench.dies()}; sleep 60", "other": "true"})
    assert bench.statuses() == {"killer": Status.CRASH, "other": Status.PASS}


def test_a_guest_that_always_halts_is_a_crash_that_says_so(bench: Bench) -> None:
    bench.run({"halts": f"{bench.dies('[    9.876543] reboot: System halted')}; sleep 60"})
    assert bench.statuses() == {"halts": Status.CRASH}
    assert bench.outcome("halts").reason == "the guest ended the machine (reboot: System halted) 3 times in a row"


def test_a_machine_that_is_taken_away_is_no_result_and_its_work_is_done_by_another(bench: Bench) -> None:
    taken = bench.console().with_name("taken")
    drained = bench.run(
        {"unlucky": bench.once(f"{bench.dies(PANIC)}; echo taken away >{taken}; sleep 60"), "other": "true"}
    )
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"unlucky": Status.PASS, "other": Status.PASS}
    assert bench.troubles() == ["taken away"]


def test_whoever_has_a_guest_that_is_up_takes_the_work_of_one_that_was_lost(bench: Bench) -> None:
    taken = bench.console().with_name("taken")
    lost = bench.once(f"sleep 2; {bench.dies(PANIC)}; echo taken away >{taken}; sleep 60")
    bench.run({"unlucky": lost, "other": "true"}, guests=2)
    assert bench.statuses() == {"unlucky": Status.PASS, "other": Status.PASS}
    assert bench.outcome("unlucky").guest == "g1", "its own machine may take long to come back, if it ever does"


def test_a_machine_that_is_always_taken_away_leaves_its_work_undone(bench: Bench) -> None:
    taken = bench.console().with_name("taken")
    drained = bench.run({"unlucky": f"{bench.dies()}; echo taken away >{taken}; sleep 60", "other": "true"})
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"unlucky": Status.MISSING, "other": Status.PASS}


def test_a_machine_that_boots_anew_under_a_test_crashed_and_does_not_hang(bench: Bench) -> None:
    restarted = bench.console().with_name("restarted")
    # The connection breaks, and the machine still counts as alive: nothing but its next boot tells.
    cut = f"touch {restarted}; read -r _ _ _ wrapper _ </proc/$PPID/stat; kill -9 $wrapper"
    bench.run({"reboots": cut})
    assert bench.statuses() == {"reboots": Status.CRASH}
    assert bench.outcome("reboots").reason == "the machine ended without a message 3 times in a row"
    assert len(bench.troubles()) == 2
    bench.run({"panics": f"echo '{PANIC}' >>{bench.console()}; {cut}"})
    assert bench.statuses() == {"panics": Status.CRASH}
    assert len(bench.troubles()) == 0, "its last words are proof enough"


def test_a_test_past_its_deadline_hangs_and_the_guest_is_used_on(bench: Bench) -> None:
    bench.run({"slow": "sleep 600", "other": "true"}, timeout=1)
    assert bench.statuses() == {"slow": Status.HANG, "other": Status.PASS}
    assert bench.boots() == 1


def test_no_boot_is_infrastructure_and_leaves_a_run_to_resume(bench: Bench) -> None:
    bench.provider.refuse = 99
    drained = bench.run({"a": "true", "b": "true"}, guests=2)
    assert drained.state is RunState.INTERRUPTED
    assert len(drained.errors) == 2
    assert bench.statuses() == {}


def test_a_guest_that_never_gets_ready_is_given_up_after_two_boots(bench: Bench) -> None:
    bench.release = "6.1.0-another"
    drained = bench.run({f"t{n}": "true" for n in range(10)})
    assert drained.state is RunState.INTERRUPTED
    assert bench.boots() == 2
    assert "not the one it was given" in drained.errors[0].message


def test_one_failed_boot_is_made_up_for(bench: Bench) -> None:
    bench.provider.refuse = 1
    assert bench.run({"a": "true", "b": "exit 1"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL}


def test_a_guest_that_does_not_go_takes_no_result_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stays(self: LocalGuest) -> None:
        raise InfrastructureError("QEMU does not end")

    monkeypatch.setattr(LocalGuest, "discard", stays)
    kasan = "[    3.000000] BUG: KASAN: use-after-free in foo+0x1/0x2"
    drained = bench.run({"a": f"echo '{kasan}' >>/dev/kmsg", "b": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.troubles() == ["QEMU does not end"]
    assert bench.boots() == 2


def test_many_tests_over_many_guests_each_once(bench: Bench) -> None:
    counter = bench.path / "ran"
    scripts = {f"t{n}": f"echo {n} >> {counter}" for n in range(30)}
    assert bench.run(scripts, guests=4).state is RunState.COMPLETE
    assert sorted(map(int, counter.read_text().split())) == list(range(30))


def test_cancelled_runs_are_interrupted_and_can_go_on(bench: Bench) -> None:
    suite = ShellSuite({"first": "true", "long": "sleep 600"})
    rows = [PlannedRow(test.id, 30, expected) for test, expected in zip(suite.tests, (20.0, 10.0), strict=True)]
    job = bench.job(suite, rows)

    async def main() -> None:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().call_later(1, task.cancel)
        await drive(job, ["g0"], persist=False)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert bench.store.run(bench.run_id).state is RunState.INTERRUPTED
    assert [test.name for test in bench.store.pending(bench.run_id)] == ["long"]
    assert not (bench.provider.directory / "g0/up").exists()


@pytest.mark.parametrize(
    ("was_up", "persist", "is_up"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_guests_outlive_a_run_where_that_was_asked_for_even_when_reset(
    bench: Bench, was_up: bool, persist: bool, is_up: bool
) -> None:
    if was_up:
        asyncio.run(bench.provider.up("g0", persist=True))
    bench.run({"takes the guest down": bench.once(f"{bench.dies()}; sleep 60")}, persist=persist)
    there = bench.provider.attach("g0")
    assert (there is not None and there.persist) == is_up
