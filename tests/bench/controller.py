"""What a run of 27,696 tests on 1,000 guests costs the controller: memory, and seconds of its own per test.

The real runner, store and reader of fstests drive guests that only pretend, on a loop whose clock jumps to the next event.
What ssh and QEMU take, a process each per guest, is not in it.
"""

from __future__ import annotations

import asyncio
import io
import random
import resource
import selectors
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from simulate import START_UP, tell, workload

from kdevops import clock
from kdevops.guest.ssh import SshTarget
from kdevops.process import Completed
from kdevops.report.board import Board
from kdevops.results.events import RunEvent
from kdevops.results.model import RunState, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.drive.job import Job
from kdevops.run.drive.runner import drive
from kdevops.run.drive.work import queue_of
from kdevops.run.guests.prepare import GuestSetup
from kdevops.suites.base import PlannedTest
from kdevops.suites.fstests.build import BuiltFstests
from kdevops.suites.fstests.check_output import CheckParser
from kdevops.suites.fstests.suite import PreparedFstests

GUESTS = 1000
RELEASE = "6.1.0"
NOISE = 0.3
DEADLINE = 4 * 3600.0
FULL = b"fsstress: seed = 1\n" * 100
"""What each test leaves behind."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """Nobody waits: when nothing is to be done the clock is put to when something is."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        return self.now


class _Jump(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(timeout if timeout is None else 0)
        if timeout and not events:
            self._loop.now += timeout
        return events


@dataclass(frozen=True, slots=True)
class PretendingTarget(SshTarget):
    """Answers what the runner asks of a guest, and speaks as fstests' `check` does when it is to run tests."""

    truth: dict[TestId, float] | None = None
    left: bytes = b""

    async def run(self, command: Sequence[str], **options: Any) -> Completed:
        assert self.truth is not None
        hear, said = options.get("on_bytes"), ""
        if "./check" in command:
            profile = command[command.index("-s") + 1]
            await asyncio.sleep(START_UP)
            for name in command[command.index("--exact-order") + 1 :]:
                seconds = self.truth[TestId("fstests", profile, name)]
                hear(f"{name} {seconds:.0f}s ... ".encode())
                await asyncio.sleep(seconds)
                hear(f" {seconds:.0f}s\n".encode() if seconds else b"[not run] no such feature\n")
            hear(b"Ran: all\n")
        elif hear:
            hear(self.left)
        elif command[0] == "uname":
            said = RELEASE
        elif "tainted" in " ".join(command):
            said = "0"
        return Completed(tuple(command), 0, said, "", 0.0)


@dataclass(frozen=True, slots=True)
class PretendingGuest:
    name: str
    ssh: PretendingTarget
    console: Path
    persist: bool = False

    def alive(self) -> bool:
        return True

    async def held(self) -> str:
        return ""

    async def down(self) -> None: ...


@dataclass(frozen=True)
class PretendingProvider:
    truth: dict[TestId, float]
    directory: Path
    left: bytes
    slowdown: float = 1.0

    async def up(self, name: str, **_: Any) -> PretendingGuest:
        nowhere = Path("/nonexistent")
        target = PretendingTarget(name, "127.0.0.1", 22, "root", nowhere, nowhere, truth=self.truth, left=self.left)
        return PretendingGuest(name, target, self.directory / f"{name}.log")

    def attach(self, name: str) -> None:
        return None


class TimedFstests(PreparedFstests):
    """The suite, with the clock of the loop."""

    def output_parser(self, tests: Sequence[PlannedTest]) -> CheckParser:
        return CheckParser(tests, asyncio.get_running_loop().time)

    def reconcile(self, directory: Path, told: Any) -> Sequence[str]:
        return ()  # there is no record to hold it against


def main() -> None:
    truth = workload()
    begun = peak()
    # Flushing to a disk is what the machine's disk takes, and no affair of the controller's memory.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-", dir=memory) as directory:
        started = time.process_time()
        makespan = run(Path(directory), truth, GUESTS)
        own = (time.process_time() - started) / len(truth)
    longest = max(truth.values())
    floor = max(sum(truth.values()) / GUESTS, longest)
    tell(f"makespan : floor, {GUESTS:5} guests, real runner", f"{makespan / floor:6.3f}", f"floor {floor:.0f} s")
    tell(f"memory of the controller, {GUESTS} guests", f"{peak():6} MiB", f"{begun} MiB before the run")
    tell("the controller's own CPU time per test", f"{own * 1000:6.1f} ms", f"{len(truth)} tests")


def run(directory: Path, truth: dict[TestId, float], guests: int) -> float:
    """Seconds on the virtual clock until every test of `truth` has its status."""
    chance = random.Random(2)
    expected = {test: seconds * chance.uniform(1 - NOISE, 1 + NOISE) for test, seconds in truth.items()}
    planned = {test: PlannedTest(test, DEADLINE, expected[test]) for test in truth}
    nothing = Path("/nonexistent")
    built = BuiltFstests(nothing, None, "key", "digest", nothing, nothing, {})
    profiles = {test.profile: "" for test in truth}
    suite = TimedFstests(built, tuple(planned.values()), profiles, "/opt/fstests")
    rows = [PlannedRow(test.id, DEADLINE, test.expected) for test in suite.tests]
    loop, board = JumpingLoop(), Board()
    board.plan(rows, {})

    def tell(event: RunEvent) -> None:
        board.apply(event, loop.now)

    with Store(directory) as store, mock.patch.object(clock, "now", loop.time):
        number = store.create_run("bench", rows, {})
        job = Job(
            run=number,
            directory=directory / "run",
            provider=PretendingProvider(truth, directory, left_behind()),  # type: ignore[arg-type]
            store=store,
            queue=queue_of(rows, guests, chunk_suites={suite.name}),
            tests=planned,
            guest_suites={},
            boot_suites={},
            chunk_suites={suite.name: suite},
            emit=tell,
            guest_setup=GuestSetup(RELEASE),
        )
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            ended = runner.run(drive(job, [f"g{n}" for n in range(guests)], persist=False))
        counts = board.counts
        if (
            ended.state is not RunState.COMPLETE
            or counts.total != len(truth)
            or len(store.outcomes(number)) != len(truth)
        ):
            sys.exit(f"the run is {ended.state}: {counts} of {len(truth)} tests")
    return loop.now


def left_behind() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("generic/001.full")
        member.size = len(FULL)
        tar.addfile(member, io.BytesIO(FULL))
    return file.getvalue()


def peak() -> int:
    """The most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
