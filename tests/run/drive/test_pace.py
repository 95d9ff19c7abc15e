"""Tests that are held up with their machine, or with us, and what is made of what comes of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import cast

import pytest

from kdevops import clock
from kdevops.errors import InfrastructureError
from kdevops.providers.base import Guest
from kdevops.results.events import TestStarted
from kdevops.results.model import RunState, Status
from kdevops.run.drive import lease, lost_guest, pace
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import ShellSuite
from tests.support.toy_run import PANIC, ToyRun

KASAN = "[    3.000000] BUG: KASAN: slab-use-after-free in foo+0x1/0x2"
SOFT = "[    3.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [x:1]"


class Bench(ToyRun):
    """Runs scripts as tests of a suite of commands, or of one with a harness."""

    harness = False

    def run(self, scripts: dict[str, str], *, timeout: float = 30) -> RunState:
        suite = ToySuite(scripts, self.path / "left", timeout=timeout) if self.harness else ShellSuite(scripts, timeout)
        return self.drive(self.job(suite, seconds=1.0)).state

    @property
    def held(self) -> Path:
        return self.console().with_name("held")

    def hold(self, seconds: float = 1.5) -> str:
        """Shell commands during which the machine does not run."""
        return f"echo its disk is full >{self.held}; sleep {seconds}; rm {self.held}"


@pytest.fixture(params=[False, True], ids=["commands", "harness"])
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(lost_guest, "LAST_WORDS", 0.1)
    bench = Bench(tmp_path)
    bench.harness = request.param
    return bench


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "LAG", 1.0)


def test_a_hold_past_the_deadline_is_no_hang(bench: Bench) -> None:
    assert bench.run({"a": bench.once(bench.hold(4)), "b": "true"}, timeout=2) is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert any("its disk is full" in text for text in bench.troubles())


def test_a_test_that_failed_in_a_machine_that_was_held_is_tried_again(bench: Bench) -> None:
    bench.run({"a": bench.once(f"{bench.hold()}; exit 1"), "b": "exit 1"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.FAIL}
    assert any("its result is not trusted" in text for text in bench.troubles())


def test_a_test_that_fails_whenever_it_is_held_has_failed_in_the_end(bench: Bench) -> None:
    assert bench.run({"a": f"{bench.hold()}; exit 1"}) is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.FAIL}


def test_what_no_hold_explains_is_believed(bench: Bench) -> None:
    bench.run({"a": bench.once(f"{bench.hold()}; echo '{KASAN}' >>{bench.console()}; exit 1"), "b": "true"})
    assert bench.outcome("a").status is Status.FAIL
    assert bench.outcome("a").oops.startswith("BUG: KASAN")


def test_a_watchdog_that_complains_of_a_hold_makes_nothing_red(bench: Bench) -> None:
    bench.run({"a": bench.once(f"{bench.hold()}; echo '{SOFT}' >>{bench.console()}; exit 0")})
    assert bench.outcome("a").status is Status.PASS
    assert bench.outcome("a").reports == ()
    bench.run({"a": f"echo '{SOFT}' >>{bench.console()}"})
    assert [report.kind for report in bench.outcome("a").reports] == ["soft lockup"]


def test_a_machine_that_is_held_for_too_long_leaves_its_test_without_a_result(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "MAX_HELD", 0.5)
    assert bench.run({"a": f"echo its disk is full >{bench.held}; sleep 60", "b": "true"}) is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.MISSING, "b": Status.PASS}
    assert bench.outcome("a").reason == "the machine does not run: its disk is full"
    assert bench.boots() >= 3


def test_a_machine_that_is_taken_away_each_time_says_why(bench: Bench) -> None:
    taken = f"{bench.dies(PANIC)}; echo QEMU was killed by SIGKILL >{bench.console().with_name('taken')}; sleep 60"
    assert bench.run({"a": taken}) is RunState.INCOMPLETE
    assert bench.outcome("a").status is Status.MISSING
    assert bench.outcome("a").reason == "QEMU was killed by SIGKILL"


def test_an_ssh_that_is_killed_each_time_is_no_hang(bench: Bench) -> None:
    killed = "kill -s KILL -- -$(awk '{print $6}' /proc/$$/stat)"  # the leader of the session stands for ssh
    assert bench.run({"a": killed}) is RunState.INCOMPLETE
    assert bench.outcome("a").status is Status.MISSING
    assert bench.outcome("a").reason == "the ssh to guest g0 was killed by SIGKILL (out of memory?)"


@pytest.mark.usefixtures("quick")
def test_a_controller_that_was_stopped_past_the_deadline_reads_what_came_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "GRACE", 0.1)
    emit = bench.events.append

    class Stopping(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            emit(event)  # type: ignore[arg-type]
            if isinstance(event, TestStarted) and event.test.name == "a":
                asyncio.get_running_loop().call_later(0.3, time.sleep, 4)

    bench.events = Stopping()
    assert bench.run({"a": "sleep 1; head -c 30000 /dev/zero | tr '\\0' x; echo", "b": "true"}, timeout=2.4)
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.boots() == 1


class Unasked:
    """A machine of which nobody says whether it runs."""

    name = "g0"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def held(self) -> str:
        raise self.error


@pytest.mark.parametrize(("error", "ends"), [(InfrastructureError("no answer"), False), (ValueError("odd"), True)])
def test_a_pace_goes_on_or_says_why_not(monkeypatch: pytest.MonkeyPatch, error: Exception, ends: bool) -> None:
    monkeypatch.setattr(pace, "POLL", 0.01)

    async def look() -> float:
        async with pace.Pace(cast(Guest, Unasked(error)), print) as ticking:
            await asyncio.sleep(0.2)
            return ticking.look()

    if ends:
        with pytest.raises(ValueError, match="odd"):
            asyncio.run(look())
    else:
        assert asyncio.run(look()) > 0
