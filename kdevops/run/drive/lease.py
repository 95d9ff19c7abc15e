"""The runner's unit of work: start one guest, run tests in it, stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kdevops.errors import BootError, CommandError, InfrastructureError, LostGuestError
from kdevops.guest import console, taint
from kdevops.guest.execute import Execution, Marks, Transcript, execute
from kdevops.guest.printk import first_boot
from kdevops.providers.base import Guest
from kdevops.results.events import GuestChanged, Note
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.boot_failure import FailedBoot
from kdevops.run.drive.chunk import Chunk
from kdevops.run.drive.job import COMMAND, GRACE, MAX_LOST, Job
from kdevops.run.drive.kernel_log import KernelLog, Slice, before_tests, kernel_log
from kdevops.run.drive.lost_guest import outcome_of_loss, prove_silent
from kdevops.run.drive.pace import Pace
from kdevops.run.drive.reports import doubt, is_stall, of_the_kernel, spoiled_by, with_reports, with_taint
from kdevops.run.drive.work import Work
from kdevops.suites.base import BootSuite, GuestSuite, OutputReader, PlannedTest
from kdevops.text import clean
from kdevops.triage.oops import Oops, find_reports

MAX_BOOT_FAILURES = 2
"""Failed boots in a row after which kdevops gives up on a guest."""
_BOOT_CONSOLE = 8 << 20


@dataclass
class Lease:
    """One guest's share of a run. `persist`: the guest outlives the run.

    `stale`: something may still run in the guest, so it must be booted afresh before use. `last_error`: the last
    infrastructure error, if any. `failed_boots`: those since the last successful boot.
    """

    job: Job
    name: str
    persist: bool = False
    stale: bool = False
    last_error: InfrastructureError | None = None
    failed_boots: list[FailedBoot] = field(default_factory=list)
    _guest: Guest | None = None
    _generation: int = 0
    _log: KernelLog | None = None
    _taint: int = 0

    async def drain(self) -> None:
        """Run tests until all are done or kdevops gives up on this guest."""
        queue = self.job.queue
        there = self.job.provider.attach(self.name)
        self.persist = self.persist or (there is not None and there.persist)  # it keeps running even after resets
        while len(self.failed_boots) < MAX_BOOT_FAILURES and (work := await queue.take()):
            try:
                await self._do(work)
            except InfrastructureError as error:
                self._lose(work, error)
            except BaseException:
                self.stale = True
                queue.put(work)
                raise
            finally:
                queue.done()
            if self._guest is None:
                await asyncio.sleep(0)  # let waiting leases with a running guest take the work first

    async def give_back(self) -> None:
        """Stop the guest unless it is kept. Kernel reports since the last test go into the run's record."""
        if self._guest and self._log and not self.stale:  # an interrupted test runs again
            self.job.stray(self.name, self._log.cut(), "after the last test")
        guest = self._guest or self.job.provider.attach(self.name)
        if guest and not self.persist:
            await guest.down()
            self.job.emit(GuestChanged(self.name, "down"))

    def tell_failed_boots(self) -> None:
        """Record kernel reports from failed boots, once it is known that the kernel does boot.

        Stalls are left out: a boot that took too long may be due to a slow machine.
        """
        for boot in self.failed_boots:
            reports = [report for report in find_reports(boot.console) if not is_stall(report)]
            said = [line for report in reports for line in report.text.splitlines()]
            self.job.stray(self.name, said, "in a boot that failed")

    async def _do(self, work: Work) -> None:
        if work.boot:
            await self._at_boot(work)
            return
        if self._guest and await self.job.servers.up() != self._generation:
            await self._reset(self._guest, "its server was brought up again")
        guest = self._guest or await self._ready(self.job.quiet_cmdline, fresh=self.stale or work.lost > 0)
        if work.suite in self.job.chunk_suites:
            await self._chunk(guest, work)
        else:
            await self._one_by_one(guest, work)

    def _lose(self, work: Work, error: InfrastructureError) -> None:
        """Give the work back. If the guest never got ready, count a failed boot; if it was lost later, charge the work."""
        self.job.trouble(self.name, error.message)
        self.last_error = error
        if self._guest is None:
            self.failed_boots.append(FailedBoot.now(error))
            self.job.queue.put(work)
        elif work.lost < MAX_LOST:
            self.job.queue.put(work.again())
        else:
            for test in work.tests:
                self.job.end(test, Outcome(Status.MISSING, reason=clean(error.message, 300), guest=self.name))
        self.stale = self.stale or self._guest is not None
        self._guest = None

    async def _ready(self, extra: tuple[str, ...], *, fresh: bool) -> Guest:
        """A healthy guest prepared for tests."""
        guest, log = await self._booted(extra, fresh=fresh)
        self.job.stray(self.name, before_tests(log), "at boot")
        return guest

    async def _booted(self, extra: tuple[str, ...], *, fresh: bool) -> tuple[Guest, list[str]]:
        """A prepared guest, and its kernel log so far."""
        job = self.job
        self._generation = await job.servers.boot()
        job.emit(GuestChanged(self.name, "booting"))
        guest, served = await asyncio.gather(self._boot(extra, fresh=fresh), job.servers.up(), return_exceptions=True)
        if isinstance(served, BaseException):
            raise served
        if isinstance(guest, BaseException):
            raise guest
        tainted = await guest.ssh.run(["cat", "/proc/sys/kernel/tainted"], timeout=COMMAND * job.provider.slowdown)
        self._taint = taint.parse(tainted.stdout) or 0
        self._log = KernelLog(guest, job.provider.slowdown)
        log = await kernel_log(guest.ssh, timeout=COMMAND * job.provider.slowdown)
        self._log.has_read(log)
        self.tell_failed_boots()
        self.failed_boots.clear()
        self.stale = False
        self._guest = guest
        job.emit(GuestChanged(self.name, "ready"))
        return guest, log

    async def _boot(self, extra: tuple[str, ...], *, fresh: bool) -> Guest:
        job = self.job
        guest = await job.provider.up(self.name, extra_cmdline=extra, persist=self.persist, fresh=fresh)
        await job.guest_setup.apply(guest.ssh, job.provider.slowdown)
        return guest

    async def _reset(self, guest: Guest, why: str) -> None:
        """Discard the guest, so that the next work gets a fresh one. A failure to discard it does not affect results."""
        self._guest = None
        self.job.emit(GuestChanged(self.name, "resetting", why))
        try:
            await guest.discard()
        except InfrastructureError as error:
            self.job.trouble(self.name, error.message)
            self.last_error, self.stale = error, True

    async def _chunk(self, guest: Guest, work: Work) -> None:
        assert self._log
        chunk = Chunk(self.job, self.name, guest, work, self._log, self._taint, self._generation)
        try:
            unfit = await chunk.run()
        except InfrastructureError as error:
            # Tests with a status are finished; the harness is retried with the rest.
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
            outcome, unfit = await self._one(guest, suite, job.tests[test], last=work.lost >= MAX_LOST)
            job.end(test, outcome)
            if unfit:
                await self._reset(guest, unfit)

    async def _one(self, guest: Guest, suite: GuestSuite, test: PlannedTest, *, last: bool) -> tuple[Outcome, str]:
        """Run one test; also returns why the guest must not be reused. Raises LostGuestError for an unexplained loss."""
        assert self._log
        assert test.timeout is not None  # set by the plan
        slowdown = self.job.provider.slowdown
        argv, directory = suite.command(test)
        reader = suite.reader(test)
        tainted = ""
        strays: Sequence[Oops] = ()
        transcript, marks = Transcript(reader.feed), Marks.around(str(test.id))
        async with Pace(guest, lambda text: self.job.trouble(self.name, text)) as pace:
            try:
                execution = await execute(
                    guest.ssh,
                    argv,
                    directory,
                    marks=marks,
                    timeout=test.timeout * slowdown,
                    grace=GRACE * slowdown,
                    alive=guest.alive,
                    transcript=transcript,
                    look=pace.look,
                )
                if execution.silent:
                    await prove_silent(guest)
            except (LostGuestError, CommandError) as error:
                outcome, said = await self._lost(guest, error, test.id, pace, last=last)
                unfit = outcome.reason
            else:
                outcome = _told(reader, execution)
                tainted = taint.worsened(self._taint, execution.fitness.taint or 0)
                unfit = outcome.reason if execution.silent else self._unfit(test, execution) or tainted
                if execution.silent:
                    said = Slice(self._log.cut())
                else:
                    said = await self._log.cut_at(marks, tainted=bool(tainted))
                strays = self.job.stray(self.name, said.before, f"before {test.id}")
                if why := doubt(outcome, said.lines, pace.lost, pace.why, last=last):
                    raise InfrastructureError(f"{test.id}: {why}")
        # In a thread, because a flood of reports takes seconds.
        outcome, spoiled = await asyncio.to_thread(with_reports, outcome, said.lines)
        told = any(stray.gates for stray in strays) or any(report.gates for report in outcome.reports)
        if tainted and not told:
            outcome = with_taint(outcome, tainted)
        if said.lines and outcome.status is not Status.SKIP:
            self.job.keep(self.job.output_name(test.id, ".console"), said.lines)
        if not said.watched:
            self.job.unwatched(test.id, self.name)
        name = self.job.output_name(test.id)
        self.job.keep(name, transcript.lines())
        return replace(outcome, guest=self.name, output=name), spoiled or spoiled_by(strays) or unfit

    async def _lost(
        self, guest: Guest, error: InfrastructureError, test: TestId, pace: Pace, *, last: bool
    ) -> tuple[Outcome, Slice]:
        """Handle a lost guest or connection. Raises InfrastructureError if the loss says nothing about the test."""
        assert self._log
        since, seconds, lost, slowdown = self._log.since, pace.seconds, pace.lost, self.job.provider.slowdown
        try:
            outcome = await outcome_of_loss(guest, error, since, seconds, slowdown=slowdown, last=last, lost=lost)
        except InfrastructureError:
            self.job.stray(self.name, of_the_kernel(self._log.cut(), lost), f"during {test}, when it was lost")
            raise
        return outcome, Slice(self._log.cut())

    def _unfit(self, test: PlannedTest, execution: Execution) -> str:
        """Why the guest is unfit for another test, by its own answers after the test."""
        why = execution.fitness.unfit
        if why:
            self.job.trouble(self.name, f"after {test.id}: {why}; the guest is reset")
        return why

    async def _at_boot(self, work: Work) -> None:
        """Boot a fresh guest that runs the tests, and collect their outcomes; tests not reached are given back."""
        job, suite = self.job, self.job.boot_suites[work.suite]
        for test in work.tests:
            job.begin(test, self.name)
        timeout = COMMAND * job.provider.slowdown
        self._guest = None
        guest: Guest | None = None
        try:
            guest, lines = await self._booted(suite.cmdline(work.tests), fresh=True)
            outcomes = await suite.collect(work.tests, lines, guest.ssh, timeout=timeout)
        except BootError as error:
            said = error.recorded and console.read_since(error.recorded, error.console_offset, limit=_BOOT_CONSOLE)
            # The console of machines elsewhere begins with the end of the previous kernel; after a panic they boot that again.
            lines = first_boot(said or [])
            outcomes = await suite.collect(work.tests, lines, None, timeout=timeout)
            if not outcomes:
                raise  # the kernel did not reach the tests
            job.emit(Note(f"{self.name} died while {work.suite} ran at boot: {error.message}"))
        spoiled = self._end_boot_tests(suite, work.tests, outcomes, lines)
        if guest and spoiled:
            await self._reset(guest, spoiled)
        if left := tuple(test for test in work.tests if test not in outcomes):
            job.queue.put(replace(work, tests=left))

    def _end_boot_tests(
        self, suite: BootSuite, tests: Sequence[TestId], outcomes: Mapping[TestId, Outcome], lines: Sequence[str]
    ) -> str:
        """Store each test's outcome with its part of the kernel log; returns the title of the first report, if any."""
        job = self.job
        parts: dict[TestId | None, list[str]] = {}
        for owner, part in suite.divide(tests, lines):
            parts.setdefault(owner if owner in outcomes else None, []).extend(part)
        spoiled = ""
        for test, outcome in outcomes.items():
            said = parts.get(test, [])
            outcome, _ = with_reports(outcome, said)
            # After any report, later tests must not run in the tainted guest.
            spoiled = spoiled or next((report.title for report in outcome.reports if report.gates), "")
            if said:
                job.keep(job.output_name(test, ".console"), said)
            job.end(test, replace(outcome, guest=self.name))
        job.stray(self.name, parts.get(None, []), "at boot")
        return spoiled


def _told(reader: OutputReader, execution: Execution) -> Outcome:
    if execution.silent:
        return Outcome(Status.HANG, execution.seconds, "the guest did not answer past the test's deadline")
    return reader.outcome(execution)
