"""The runner's unit of work: one guest brought up, tests drained, guest given back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from kdevops.errors import BootError, CommandError, InfrastructureError, LostGuestError
from kdevops.guest import console
from kdevops.guest.execute import Execution, Transcript, execute
from kdevops.guest.printk import first_boot
from kdevops.paths import write_atomic
from kdevops.providers.base import Guest
from kdevops.results.events import GuestChanged, Note
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.text import clean
from kdevops.run.chunk import Chunk
from kdevops.run.fate import fate, oops_text, prove_silent
from kdevops.run.job import COMMAND, GRACE, MAX_LOST, UNHEALTHY_TAINT, Job
from kdevops.run.work import Work
from kdevops.suites.base import GuestSuite, PlannedTest

MAX_BOOT_FAILURES = 2
"""Boots in a row that may fail before a guest is given up."""
_BOOT_CONSOLE = 8 << 20


@dataclass
class Lease:
    """One guest's share of a run. `last_error` is why it gave up, if it did; `keep`: the guest outlives the run."""

    job: Job
    name: str
    keep: bool = False
    last_error: InfrastructureError | None = None
    _guest: Guest | None = None
    _generation: int = 0
    _taint: int = 0
    _boot_failures: int = 0

    async def drain(self) -> None:
        """Work until all is done or this guest is given up."""
        queue = self.job.queue
        there = self.job.provider.attach(self.name)
        self.keep = self.keep or (there is not None and there.stay)  # it stays up however often it is reset
        while self._boot_failures < MAX_BOOT_FAILURES and (work := await queue.take()):
            try:
                await self._do(work)
            except InfrastructureError as error:
                self._lose(work, error)
            except BaseException:
                queue.put(work)
                raise
            finally:
                queue.done()
            if self._guest is None:
                await asyncio.sleep(0)  # whoever has a guest that is up, and waits, takes what is left first

    async def give_back(self) -> None:
        """End the guest unless it is to be kept."""
        guest = self._guest or self.job.provider.attach(self.name)
        if guest and not self.keep:
            await guest.down()
            self.job.emit(GuestChanged(self.name, "down"))

    async def _do(self, work: Work) -> None:
        if work.boot:
            await self._at_boot(work)
            return
        if self._guest and await self.job.servers.up() != self._generation:
            await self._reset(self._guest, "its server was brought up again")
        guest = self._guest or await self._ready(self.job.quiet_cmdline, fresh=work.lost > 0)
        if work.suite in self.job.chunk_suites:
            await self._chunk(guest, work)
        else:
            await self._one_by_one(guest, work)

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
        self._generation = await job.servers.boot()
        job.emit(GuestChanged(self.name, "booting"))
        guest, served = await asyncio.gather(self._boot(extra, fresh=fresh), job.servers.up(), return_exceptions=True)
        if isinstance(served, BaseException):
            raise served
        if isinstance(guest, BaseException):
            raise guest
        taint = await guest.ssh.run(["cat", "/proc/sys/kernel/tainted"], timeout=COMMAND * job.provider.factor)
        self._taint = int(taint.stdout.strip() or 0)
        self._boot_failures = 0
        self._guest = guest
        job.emit(GuestChanged(self.name, "ready"))
        return guest

    async def _boot(self, extra: tuple[str, ...], *, fresh: bool) -> Guest:
        job = self.job
        guest = await job.provider.up(self.name, extra_cmdline=extra, stay=self.keep, fresh=fresh)
        await job.furniture.bring(guest.ssh, job.provider.factor)
        return guest

    async def _reset(self, guest: Guest, why: str) -> None:
        """Have the next work done by a fresh guest."""
        self._guest = None
        self.job.emit(GuestChanged(self.name, "resetting", why))
        await guest.discard()

    async def _chunk(self, guest: Guest, work: Work) -> None:
        chunk = Chunk(self.job, self.name, guest, work, self._taint, self._generation)
        try:
            unfit = await chunk.run()
        except InfrastructureError as error:
            # What has a status is done with; the harness is tried again with the rest.
            if chunk.left:
                self._lose(replace(work, tests=tuple(chunk.left)), error)
            await self._reset(guest, error.message)
            return
        if unfit:
            await self._reset(guest, unfit)

    async def _one_by_one(self, guest: Guest, work: Work) -> None:
        job = self.job
        suite = job.guest_suites[work.suite]
        for test in work.tests:
            job.begin(test, self.name)
            outcome, healthy = await self._one(guest, suite, job.tests[test], last=work.lost >= MAX_LOST)
            job.end(test, outcome)
            if not healthy:
                await self._reset(guest, outcome.reason)

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
                grace=GRACE * factor,
                alive=guest.alive,
                transcript=transcript,
            )
            if execution.silent:
                await prove_silent(guest)
        except (LostGuestError, CommandError) as error:
            outcome = await fate(guest, error, offset, time.monotonic() - started, factor=factor, last=last)
            healthy = False
        else:
            outcome = _told(suite, test, execution, transcript)
            unhealthy = execution.silent or (execution.taint & ~self._taint & UNHEALTHY_TAINT)
            healthy = not unhealthy
            if unhealthy:
                outcome = replace(outcome, oops=oops_text(console.read_since(guest.console, offset)))
        output = self._keep_output(test.id, transcript)
        return replace(outcome, guest=self.name, output=output), healthy

    def _keep_output(self, test: TestId, transcript: Transcript) -> str:
        """The test's output as a file below the run's directory; the file's name, relative to it."""
        name = self.job.output_name(test)
        text = "".join(f"{clean(line, len(line))}\n" for line in transcript.lines())
        write_atomic(self.job.directory / name, text)
        return name

    async def _at_boot(self, work: Work) -> None:
        """Boot a fresh guest that runs the tests, and read what became of them; what was never reached is given back."""
        job, suite = self.job, self.job.boot_suites[work.suite]
        for test in work.tests:
            job.begin(test, self.name)
        timeout = COMMAND * job.provider.factor
        oops = ""
        died = False
        self._guest = None
        try:
            guest = await self._ready(suite.cmdline(work.tests), fresh=True)
            outcomes = await suite.collect(work.tests, [], guest.ssh, timeout=timeout)
        except BootError as error:
            said = error.recorded and console.read_since(error.recorded, error.console_offset, limit=_BOOT_CONSOLE)
            # Machines elsewhere say how their kernel of before ends, and after a panic come back with it.
            lines = first_boot(said or [])
            outcomes = await suite.collect(work.tests, lines, None, timeout=timeout)
            if not outcomes:
                raise  # the kernel did not get as far as the tests: nothing is known of them
            died, oops = True, oops_text(lines)
            job.emit(Note(f"{self.name} died while {work.suite} ran at boot: {error.message}"))
        for test, outcome in outcomes.items():
            crashed = outcome.status is Status.CRASH
            job.end(test, replace(outcome, guest=self.name, oops=outcome.oops or (oops if crashed else "")))
        if died:
            self._guest = None
        if left := tuple(test for test in work.tests if test not in outcomes):
            job.queue.put(replace(work, tests=left))


def _told(suite: GuestSuite, test: PlannedTest, execution: Execution, transcript: Transcript) -> Outcome:
    if execution.silent:
        return Outcome(Status.HANG, execution.seconds, "the guest did not answer past the test's deadline")
    return suite.outcome(test, execution, transcript.lines())
