"""A harness in a guest against real processes: each of its tests has one status, whatever it or the guest does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.model import RunState, Status
from kdevops.run.drive import chunk
from kdevops.run.drive.runner import Drained, drive
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalTarget
from tests.support.toy_run import PANIC, ToyRun

KASAN = "[    3.000000] BUG: KASAN: use-after-free in xfs_foo+0x1/0x2"
WARNING = "[    3.000000] WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_foo.c:1 xfs_foo+0x1/0x2"


class Bench(ToyRun):
    def suite(self, scripts: dict[str, str], **settings: Any) -> ToySuite:
        return ToySuite(scripts, self.path / "leftovers", **settings)

    def run(self, scripts: dict[str, str], *, guests: int = 1, seconds: float = 1.0, **settings: Any) -> Drained:
        return self.drive(self.job(self.suite(scripts, **settings), guests=guests, seconds=seconds), guests)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_one_start_of_the_harness_serves_many_tests(bench: Bench) -> None:
    starts = bench.path / "starts"
    scripts = {"a": "true", "b": "exit 1", "c": "exit 4"}
    drained = bench.run(scripts, before=f"echo x >> {starts}")
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL, "c": Status.SKIP}
    assert starts.read_text().count("x") == 1
    assert bench.boots() == 1


def test_two_guests_share_a_profile(bench: Bench) -> None:
    counter = bench.path / "ran"
    drained = bench.run({f"t{n}": f"echo {n} >> {counter}; sleep 0.01" for n in range(40)}, guests=2)
    assert drained.state is RunState.COMPLETE
    assert sorted(map(int, counter.read_text().split())) == list(range(40))
    assert {outcome.guest for outcome in bench.outcomes().values()} == {"g0", "g1"}


def test_a_machine_that_is_taken_away_costs_no_test(bench: Bench) -> None:
    taken = bench.console().with_name("taken")
    loss = bench.once(f"{bench.dies(PANIC)}; echo taken away >{taken}; sleep 60")
    drained = bench.run({"a": "true", "b": loss, "c": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS, "c": Status.PASS}
    assert bench.boots() == 2
    assert [text.endswith("taken away") for text in bench.troubles()] == [True]


def test_a_machine_that_fell_silent_because_it_was_taken_away_does_not_hang(bench: Bench) -> None:
    taken = bench.console().with_name("taken")
    drained = bench.run({"a": bench.once(f"echo taken away >{taken}; sleep 60"), "b": "true"}, timeout=1)
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}


def test_a_crash_costs_one_test_and_the_rest_goes_on_in_a_fresh_guest(bench: Bench) -> None:
    drained = bench.run({"a": "true", "b": f"{bench.dies(PANIC)}; sleep 60", "c": "true"})
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.CRASH, "c": Status.PASS}
    assert "sysrq triggered crash" in bench.outcome("b").oops
    assert bench.boots() == 2
    assert bench.troubles() == []


def test_a_guest_that_goes_without_a_word_has_the_test_in_flight_tried_alone(bench: Bench) -> None:
    once = bench.once(f"{bench.dies()}; sleep 60")
    assert bench.run({"a": "true", "unlucky": once, "z": "true"}).state is RunState.COMPLETE
    assert set(bench.statuses().values()) == {Status.PASS}
    assert len(bench.troubles()) == 1


def test_a_test_that_always_takes_the_guest_down_is_a_crash(bench: Bench) -> None:
    assert bench.run({"a": "true", "killer": f"{bench.dies()}; sleep 60", "z": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "killer": Status.CRASH, "z": Status.PASS}
    assert "3 times in a row" in bench.outcome("killer").reason


def test_a_test_past_its_deadline_hangs_and_the_kernel_is_asked_why(bench: Bench) -> None:
    drained = bench.run({"a": "true", "slow": "sleep 600", "z": "true"}, timeout=1)
    assert drained.state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "slow": Status.HANG, "z": Status.PASS}
    assert "8wt" in (bench.path / "run/toy/default/slow.console").read_text()
    assert bench.boots() == 2, "a guest in which something hangs is not used on"


def test_a_harness_that_dies_under_a_test_has_it_tried_alone_before_it_counts(bench: Bench) -> None:
    assert bench.run({"a": "true", "b": "kill -9 $$", "z": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL, "z": Status.PASS}
    assert "exit code 137" in bench.outcome("b").reason
    assert len(bench.troubles()) == 3


def test_a_harness_that_refuses_leaves_all_its_tests_missing_with_the_reason(bench: Bench) -> None:
    drained = bench.run({f"t{n}": "true" for n in range(9)}, before="echo refused: no such disk; exit 1", seconds=100)
    assert drained.state is RunState.INCOMPLETE
    assert set(bench.statuses().values()) == {Status.MISSING}
    assert {outcome.reason for outcome in bench.outcomes().values()} == {"refused: no such disk"}
    assert bench.boots() == 2, "once more on a fresh guest, then never again"


def test_a_silent_harness_is_infrastructure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "IDLE", 0.5)
    drained = bench.run({"a": "true"}, before="sleep 600")
    assert drained.state is RunState.INCOMPLETE
    assert "printed nothing" in bench.troubles()[0]


def test_tests_that_the_harness_passes_over_are_missing_not_passed(bench: Bench) -> None:
    drained = bench.run({"a": "true", "b": "true"}, before="shift 2")
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.MISSING, "b": Status.PASS}


def test_a_report_of_the_kernel_is_kept_with_a_passing_test_and_ends_the_guest(bench: Bench) -> None:
    drained = bench.run({"a": f"echo '{KASAN}' >> {bench.console()}", "b": "sleep 2"})
    assert drained.state is RunState.COMPLETE
    assert bench.outcome("a").oops.startswith("BUG: KASAN")
    assert bench.boots() == 2


def test_a_mere_warning_is_kept_and_the_chunk_goes_on(bench: Bench) -> None:
    bench.run({"a": f"echo '{WARNING}' >> {bench.console()}", "b": "true"})
    assert bench.outcome("a").oops.startswith("WARNING")
    assert bench.outcome("b").oops == ""
    assert bench.boots() == 1


def test_what_a_sweep_finds_ends_the_guest(bench: Bench) -> None:
    left = f"{bench.path}/loop0"
    sweep = f"test ! -e {left} || {{ rm {left}; echo a loop device is left; }}"
    bench.run(
        {"a": f"touch {left}", "b": f"touch {left}"}, sweep=sweep, known=frozenset({"b"})
    )  # which has a chunk of its own
    assert bench.boots() == 2


@pytest.mark.parametrize("said", ["", WARNING])
def test_a_taint_gates_whether_or_not_its_report_was_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    run, tainted = LocalTarget.argv, bench.path / "tainted"

    def argv(self: LocalTarget, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        return [word.replace("/proc/sys/kernel/tainted", str(tainted)) for word in run(self, command, tty=tty)]

    monkeypatch.setattr(LocalTarget, "argv", argv)
    tainted.write_text("0\n")
    bench.run({"a": f"echo 512 >{tainted}; echo '{said}' >>{bench.console()}"})
    assert bench.statuses() == {"a": Status.PASS}
    strays = bench.store.run(bench.run_id).record.get(STRAY_REPORTS, [])
    unseen = "the kernel is tainted by a warning, and its report was not seen"
    assert [report["signature"] for report in strays if report["gates"]] == ([] if said else [unseen])
    assert [report.gates for report in bench.outcome("a").reports] == ([True] if said else [])


def test_a_sweep_that_fails_says_nothing_good_of_the_guest(bench: Bench) -> None:
    assert bench.run({"a": "true"}, sweep="exit 3").state is RunState.INCOMPLETE
    assert "left behind failed (exit code 3)" in bench.troubles()[0]


def test_a_guest_that_is_unfit_from_the_start_is_infrastructure(bench: Bench) -> None:
    assert bench.run({"a": "true"}, sweep="echo the root file system is full").state is RunState.INCOMPLETE
    assert "is not fit for tests: the root file system is full" in bench.troubles()[0]


def test_what_a_test_leaves_behind_is_kept_even_when_the_next_one_crashes(bench: Bench) -> None:
    left = bench.path / "leftovers/a"
    leave = f"mkdir -p {left}/generic; head -c 3000000 /dev/zero > {left}/generic/a.full; exit 1"
    bench.run({"a": leave, "b": f"sleep 2; {bench.dies(PANIC)}; sleep 60"})
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
    job = bench.job(bench.suite({"a": "true", "b": "exit 1", "long": "sleep 600"}), seconds=1.0)

    async def main() -> None:
        running = asyncio.create_task(drive(job, ["g0"], persist=False))
        while len(bench.outcomes()) < 2:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert bench.store.run(bench.run_id).state is RunState.INTERRUPTED
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL}
