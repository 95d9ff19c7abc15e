"""Suites that run while the kernel boots: a guest that dies in one of them costs that one test and no other."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kdevops.errors import BootError
from kdevops.guest.ssh import SshTarget
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.drive.job import Job
from kdevops.run.drive.runner import drive
from kdevops.run.drive.work import queue_of
from kdevops.run.guests.prepare import GuestSetup
from kdevops.suites.base import PlannedTest
from tests.support.local_guest import LocalGuest, LocalProvider

OLD = "[    1.000000] suite b of an earlier boot\n"


def tid(name: str) -> TestId:
    return TestId("boot", "default", name)


@dataclass(frozen=True)
class FakeBootSuite:
    """Says on the console which test it is at; `at_once` tests fit into one boot."""

    names: tuple[str, ...]
    at_once: int = 99
    name: str = "boot"
    record: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        return tuple(PlannedTest(tid(name), 10) for name in self.names)

    def cmdline(self, tests: Sequence[TestId]) -> tuple[str, ...]:
        return (f"run={','.join(test.name for test in tests[: self.at_once])}",)

    async def collect(
        self, tests: Sequence[TestId], log: Sequence[str], ssh: SshTarget | None, *, timeout: float
    ) -> Mapping[TestId, Outcome]:
        if ssh:
            return {test: Outcome(Status.PASS) for test in tests[: self.at_once]}
        begun = [line.rpartition(" ")[2] for line in log if "begin" in line]
        found = {tid(name): Outcome(Status.PASS) for name in begun[:-1]}
        return found | {tid(name): Outcome(Status.CRASH, reason="died in it") for name in begun[-1:]}

    def divide(self, tests: Sequence[TestId], log: Sequence[str]) -> Sequence[tuple[TestId | None, Sequence[str]]]:
        parts: list[tuple[TestId | None, list[str]]] = [(None, [])]
        for line in log:
            if "begin" in line:
                parts.append((tid(line.rpartition(" ")[2]), []))
            parts[-1][1].append(line)
        return parts


class DyingProvider(LocalProvider):
    """A guest whose kernel dies in the tests of `deadly`, or before any test when `early`.

    One `elsewhere` has a kernel of before, which ends before and comes back afterwards, and runs all tests as it boots.
    """

    deadly: tuple[str, ...] = ()
    early = False
    elsewhere = False

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> LocalGuest:
        guest = await super().up(name, extra_cmdline=extra_cmdline, persist=persist, fresh=fresh)
        asked = [word.removeprefix("run=") for word in extra_cmdline if word.startswith("run=")]
        tests = [test for word in asked for test in word.split(",") if test]
        guest.console.write_text(OLD)
        with guest.console.open("a") as file:
            if self.elsewhere:
                file.write("[   90.000000] reboot: Restarting system\n[    0.000000] Command line: new\n")
            for test in tests if not self.early else []:
                file.write(f"[    2.000000] begin {test}\n")
                if test in self.deadly:
                    file.write("[    2.100000] Kernel panic - not syncing: Fatal exception\n")
                    if self.elsewhere:
                        file.write("[    0.000000] Command line: old\n")
                        file.writelines(f"[    2.000000] begin {each}\n" for each in [*tests, "another"])
                    log = guest.console.with_name("play.log")
                    log.write_text("[    0.000000] what Ansible says\n" * 9)
                    await guest.down()
                    raise BootError("it died", console_offset=len(OLD), recorded=guest.console, log=log)
        if self.early:
            await guest.down()
            raise BootError("it died early", console_offset=len(OLD), recorded=guest.console)
        return guest


@dataclass
class Bench:
    store: Store
    provider: DyingProvider

    def run(self, suite: FakeBootSuite) -> tuple[RunState, dict[str, Outcome]]:
        rows = [PlannedRow(test.id, test.timeout) for test in suite.tests]
        run = self.store.create_run("lab", rows, {})
        job = Job(
            run=run,
            directory=self.provider.directory,
            provider=self.provider,
            store=self.store,
            queue=queue_of(rows, boot_suites={"boot"}),
            tests={test.id: test for test in suite.tests},
            guest_suites={},
            boot_suites={"boot": suite},
            emit=lambda _: None,
            guest_setup=GuestSetup(platform.release()),
        )
        drained = asyncio.run(drive(job, ["g0", "g1"], persist=False))
        return drained.state, {test.name: outcome for test, outcome in self.store.outcomes(run).items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Store(tmp_path), DyingProvider(tmp_path / "guests"))


def test_one_boot_runs_them_all(bench: Bench) -> None:
    state, outcomes = bench.run(FakeBootSuite(("a", "b", "c")))
    assert state is RunState.COMPLETE
    assert {outcome.status for outcome in outcomes.values()} == {Status.PASS}
    assert len(bench.provider.boots) == 1


def test_what_does_not_fit_into_one_boot_is_run_in_another(bench: Bench) -> None:
    state, _ = bench.run(FakeBootSuite(("a", "b", "c"), at_once=2))
    assert state is RunState.COMPLETE
    assert len(bench.provider.boots) == 2


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_death_costs_the_test_in_flight_and_no_other(bench: Bench, elsewhere: bool) -> None:
    bench.provider.elsewhere = elsewhere
    bench.provider.deadly = ("b", "d")
    state, outcomes = bench.run(FakeBootSuite(("a", "b", "c", "d", "e")))
    assert state is RunState.COMPLETE
    assert {name: str(outcome.status) for name, outcome in outcomes.items()} == {
        "a": "pass", "b": "crash", "c": "pass", "d": "crash", "e": "pass",
    }  # fmt: skip
    assert "Fatal exception" in outcomes["b"].oops
    assert not outcomes["a"].oops


def test_a_kernel_that_dies_before_any_test_is_infrastructure(bench: Bench) -> None:
    bench.provider.early = True
    state, outcomes = bench.run(FakeBootSuite(("a", "b")))
    assert state is RunState.INTERRUPTED
    assert outcomes == {}
