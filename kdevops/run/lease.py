"""The runner's unit of work: one guest brought up, tests drained, guest given back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kdevops.errors import BootError, CommandError, InfrastructureError, LostGuestError
from kdevops.guest import console
from kdevops.guest.execute import Execution, Transcript, execute
from kdevops.paths import write_atomic
from kdevops.providers.base import Guest, Provider
from kdevops.results.events import GuestChanged, Note, RunEvent, TestEnded, TestStarted
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import Store
from kdevops.results.text import clean
from kdevops.run.furnish import Furniture
from kdevops.run.work import Work, WorkQueue
from kdevops.suites.base import BootSuite, GuestSuite, PlannedTest
from kdevops.triage.oops import find_oops

MAX_LOST = 2
"""How often work is given to a fresh guest after infrastructure trouble before it is left undone."""
MAX_BOOT_FAILURES = 2
"""Boots in a row that may fail before a guest is given up."""
_GRACE = 10.0
"""Accelerated seconds past a test's deadline in which the guest must say that it stopped the test."""
_LAST_WORDS = 3.0
_COMMAND = 30.0
_BOOT_CONSOLE = 8 << 20
# include/linux/panic.h of every kernel tree: machine check, bad page, die, warn, soft lockup.
_UNHEALTHY_TAINT = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14


@dataclass(frozen=True)
class Job:
    """What all leases of a run have in common."""

    run: int
    directory: Path
    provider: Provider
    store: Store
    queue: WorkQueue
    tests: Mapping[TestId, PlannedTest]
    guest_suites: Mapping[str, GuestSuite]
    boot_suites: Mapping[str, BootSuite]
    emit: Callable[[RunEvent], None]
    furniture: Furniture
    quiet_cmdline: tuple[str, ...] = ()

    def end(self, test: TestId, outcome: Outcome) -> None:
        """A test's fate: into the store, then told."""
        self.store.ended(self.run, test, outcome)
        self.emit(TestEnded(test, outcome))

    def trouble(self, guest: str, text: str) -> None:
        """Infrastructure trouble, kept apart from every result."""
        self.store.infrastructure(self.run, guest, text)
        self.emit(Note(f"{guest}: {clean(text)}"))


@dataclass
class Lease:
    """One guest's share of a run. `last_error` is why it gave up, if it did."""

    job: Job
    name: str
    last_error: InfrastructureError | None = None
    _guest: Guest | None = None
    _taint: int = 0
    _boot_failures: int = 0

    async def drain(self) -> None:
        """Work until the queue is empty or this guest is given up."""
        while self._boot_failures < MAX_BOOT_FAILURES and (work := self.job.queue.pull()):
            try:
                left = await (self._at_boot(work) if work.boot else self._in_guest(work))
            except InfrastructureError as error:
                self._lose(work, error)
            except BaseException:
                self.job.queue.put(work)
                raise
            else:
                if left:
                    self.job.queue.put(left)

    async def give_back(self, *, keep: bool) -> None:
        """End the guest unless it is to be kept, by our caller's wish or because it was up to stay."""
        guest = self._guest or self.job.provider.attach(self.name)
        if guest and not keep and not guest.stay:
            await guest.down()
            self.job.emit(GuestChanged(self.name, "down"))

    def _lose(self, work: Work, error: InfrastructureError) -> None:
        """Give the work back. A guest that did not get ready is this lease's failure; a guest lost later, the work's."""
        self.job.trouble(self.name, error.message)
        self.last_error = error
        if self._guest is None:
            self._boot_failures += 1
            self.job.queue.put(work)
        elif work.lost < MAX_LOST:
            self.job.queue.put(work.again())
        self._guest = None

    async def _ready(self, extra: tuple[str, ...], *, fresh: bool) -> Guest:
        """A healthy guest with everything in it that tests need."""
        job = self.job
        job.emit(GuestChanged(self.name, "booting"))
        guest = await job.provider.up(self.name, extra_cmdline=extra, fresh=fresh)
        await job.furniture.bring(guest.ssh, job.provider.factor)
        taint = await guest.ssh.run(["cat", "/proc/sys/kernel/tainted"], timeout=_COMMAND * job.provider.factor)
        self._taint = int(taint.stdout.strip() or 0)
        self._boot_failures = 0
        self._guest = guest
        job.emit(GuestChanged(self.name, "ready"))
        return guest

    async def _in_guest(self, work: Work) -> Work | None:
        job = self.job
        guest = self._guest or await self._ready(job.quiet_cmdline, fresh=work.lost > 0)
        suite = job.guest_suites[work.suite]
        for test in work.tests:
            job.store.started(job.run, test, self.name)
            job.emit(TestStarted(test, self.name))
            outcome, healthy = await self._one(guest, suite, job.tests[test], last=work.lost >= MAX_LOST)
            job.end(test, outcome)
            if not healthy:
                self._guest = None
                job.emit(GuestChanged(self.name, "resetting", outcome.reason))
                await guest.down()
        return None

    async def _one(self, guest: Guest, suite: GuestSuite, test: PlannedTest, *, last: bool) -> tuple[Outcome, bool]:
        """Run one test; the flag says whether the guest can be used on. Raises LostGuestError for an unexplained loss."""
        factor = self.job.provider.factor
        argv, directory = suite.command(test)
        assert test.timeout is not None  # the plan gave it one
        transcript = Transcript()
        offset = console.end_of(guest.console)
        started = time.monotonic()
        try:
            execution = await execute(
                guest.ssh,
                argv,
                directory,
                timeout=test.timeout * factor,
                grace=_GRACE * factor,
                alive=guest.alive,
                transcript=transcript,
            )
        except (LostGuestError, CommandError) as error:
            outcome = await self._lost(guest, error, offset, time.monotonic() - started, last=last)
            healthy = False
        else:
            outcome = _told(suite, test, execution, transcript)
            unhealthy = execution.silent or (execution.taint & ~self._taint & _UNHEALTHY_TAINT)
            healthy = not unhealthy
            if unhealthy:
                outcome = replace(outcome, oops=_oops_text(console.read_since(guest.console, offset)))
        output = self._keep_output(test.id, transcript)
        return replace(outcome, guest=self.name, output=output), healthy

    async def _lost(
        self, guest: Guest, error: InfrastructureError, offset: int, seconds: float, *, last: bool
    ) -> Outcome:
        """Tell a crash from a hang from mere trouble, after the guest was lost under a test."""
        factor = self.job.provider.factor
        alive = await _outlives(guest, _LAST_WORDS)
        lines = console.read_since(guest.console, offset)
        oops = find_oops(lines)
        if oops and oops.fatal:
            return Outcome(Status.CRASH, seconds, oops.title, oops=oops.text)
        if alive and not await guest.ssh.answers(timeout=_GRACE * factor):
            return Outcome(Status.HANG, seconds, "the guest stopped answering", oops=_oops_text(lines))
        if not last:
            raise error  # once may be the host's doing; a fresh guest will tell
        if alive:
            return Outcome(Status.HANG, seconds, f"the connection broke {MAX_LOST + 1} times in a row while it ran")
        return Outcome(Status.CRASH, seconds, f"the machine ended without a word {MAX_LOST + 1} times in a row")

    def _keep_output(self, test: TestId, transcript: Transcript) -> str:
        """The test's output as a file below the run's directory; the file's name, relative to it."""
        name = f"{_file_name(test.suite)}/{_file_name(test.profile)}/{_file_name(test.name)}.log"
        text = "".join(f"{clean(line, len(line))}\n" for line in transcript.lines())
        write_atomic(self.job.directory / name, text)
        return name

    async def _at_boot(self, work: Work) -> Work | None:
        """Boot a fresh guest that runs the tests, and read what became of them; what was never reached is left over."""
        job, suite = self.job, self.job.boot_suites[work.suite]
        for test in work.tests:
            job.store.started(job.run, test, self.name)
            job.emit(TestStarted(test, self.name))
        timeout = _COMMAND * job.provider.factor
        oops = ""
        died = False
        self._guest = None
        try:
            guest = await self._ready(suite.cmdline(work.tests), fresh=True)
            outcomes = await suite.collect(work.tests, [], guest.ssh, timeout=timeout)
        except BootError as error:
            lines = console.read_since(error.log, error.console_offset, limit=_BOOT_CONSOLE) if error.log else []
            outcomes = await suite.collect(work.tests, lines, None, timeout=timeout)
            if not outcomes:
                raise  # the kernel did not get as far as the tests: nothing is known of them
            died, oops = True, _oops_text(lines)
            job.emit(Note(f"{self.name} died while {work.suite} ran at boot: {error.message}"))
        for test, outcome in outcomes.items():
            crashed = outcome.status is Status.CRASH
            job.end(test, replace(outcome, guest=self.name, oops=outcome.oops or (oops if crashed else "")))
        if died:
            self._guest = None
        left = tuple(test for test in work.tests if test not in outcomes)
        return replace(work, tests=left) if left else None


async def _outlives(guest: Guest, seconds: float) -> bool:
    """Whether the guest is still there in a moment: connections break before the machine is seen to be gone."""
    end = time.monotonic() + seconds
    while guest.alive() and time.monotonic() < end:  # noqa: ASYNC110 - nobody can tell us of a guest's death
        await asyncio.sleep(0.1)
    return guest.alive()


def _told(suite: GuestSuite, test: PlannedTest, execution: Execution, transcript: Transcript) -> Outcome:
    if execution.silent:
        return Outcome(Status.HANG, execution.seconds, "the guest did not answer past the test's deadline")
    return suite.outcome(test, execution, transcript.lines())


def _oops_text(lines: list[str]) -> str:
    oops = find_oops(lines)
    return oops.text if oops else ""


def _file_name(text: str) -> str:
    """A test's name as one file name; where letters had to be replaced, a digest keeps two names apart."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-:") else "-" for c in text).lstrip(".")[:120]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
