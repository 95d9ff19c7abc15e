"""A harness at work in a guest: its tests are followed one by one as it tells of them, and survive its end."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdevops.errors import CommandError, InfrastructureError, LostGuestError
from kdevops.guest import console, taint
from kdevops.guest.console import Position
from kdevops.process import Completed
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.job import COMMAND, MAX_LOST, Job
from kdevops.run.drive.kernel_log import KernelLog
from kdevops.run.drive.leftovers import Leftovers
from kdevops.run.drive.lost_guest import fate, gone, prove_silent
from kdevops.run.drive.pace import Pace
from kdevops.run.drive.reports import doubt, of_the_kernel, spoiled_by, with_reports
from kdevops.run.drive.work import Work
from kdevops.suites.base import Began, PlannedTest, Told
from kdevops.text import clean

IDLE = 300.0
"""Accelerated seconds in which a harness that runs no test must say something: it starts, or makes a file system."""
_POLL = 0.5
_LAST_ANSWER = 3.0
"""Accelerated seconds for a guest in which a test hangs to show that its files can still be fetched."""
_LAST_DEBUG = 5.0
# Not by exec: a harness that is killed must not take the connection's own process with it, and so the answer.
_WRAPPER = 'cd "$1" || exit 97; shift; "$@" </dev/null 2>&1; exit $?'


@dataclass(frozen=True, slots=True)
class _Current:
    """The test in flight: since when by the guest's pace, and how much of that had been lost by then."""

    test: TestId
    since: float
    lost: float


@dataclass(frozen=True, slots=True)
class _Heard:
    """News of the harness, with the time by the guest's pace at which it came, and where the console ended then."""

    event: Began | Told
    at: float
    console_end: Position


class Chunk:
    """One go of a harness through the tests of `work`. `left` are those that have no status and were not given back yet."""

    def __init__(
        self, job: Job, name: str, guest: Guest, work: Work, log: KernelLog, tainted: int, generation: int = 0
    ) -> None:
        self._job, self._name, self._guest, self._work, self._log = job, name, guest, work, log
        self._tainted = tainted
        self._generation = generation
        self._suite = job.chunk_suites[work.suite]
        self.left: dict[TestId, PlannedTest] = {test: job.tests[test] for test in work.tests}
        self._account = self._suite.account(tuple(self.left.values()))
        self._told: dict[TestId, Outcome] = {}
        self._begun: set[TestId] = set()
        self._current: _Current | None = None
        self._pace = Pace(guest, lambda text: job.trouble(name, text))
        self._quiet_since = 0.0
        self._unfit = ""
        self._heard: deque[_Heard] = deque()
        self._ill = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._leftovers = Leftovers(job, name, guest, self._suite)

    async def run(self) -> str:
        """Run the chunk; why the guest should not be used on, empty when it can be.

        Raises InfrastructureError when the harness got nowhere; `left` is then still to be given back.
        """
        async with self._pace, self._leftovers:
            if unfit := await self._sweep():
                raise InfrastructureError(f"guest {self._name} is not fit for tests: {unfit}")
            ended: Completed | None = None
            lost: InfrastructureError | None = None
            try:
                ended = await self._listen()
            except (LostGuestError, CommandError) as error:
                lost = error
            self._hear_all(self._account.close())
            await self._prove()
            if not lost and (not ended or self.left):
                self._ill = self._ill or await self._job.servers.ill()
            if unserved := self._unserved():
                return self._without_server(unserved)
            if lost:
                return await self._lost(lost)
            if ended is None:
                return await self._hung() if not self._unfit else self._give_back(self._unfit)
            await self._leftovers.drained()
            await self._leftovers.record(self._work, self._told)
            self._explain_unfinished(ended)
            strays = self._job.stray(self._name, self._log.cut(), f"after the last test of {self._work.suite}")
            return self._unfit or spoiled_by(strays) or await self._sweep(said=any(stray.gates for stray in strays))

    async def _listen(self) -> Completed | None:
        """Follow the harness to its end; None when it hangs, or when the kernel said that nothing more can be trusted.

        Raises LostGuestError when the guest dies or the connection breaks.
        """
        argv, directory = self._suite.chunk_command(tuple(self.left.values()))
        session = asyncio.create_task(
            self._guest.ssh.run(
                ["sh", "-c", _WRAPPER, "kdevops", directory, *argv],
                timeout=None,
                check=False,
                on_bytes=lambda data: self._hear_all(self._account.feed(self._decoder.decode(data))),
            )
        )
        try:
            while True:
                await asyncio.wait({session}, timeout=_POLL)
                self._pace.look()
                await self._prove()
                if self._overdue():  # but what waits is read first
                    await asyncio.wait({session}, timeout=self._pace.last_look)
                    await self._prove()
                if session.done():
                    return session.result()
                if not self._guest.alive():
                    raise LostGuestError(f"guest {self._name} died")
                if self._unfit or self._overdue() or self._unserved():
                    return None
        finally:
            session.cancel()
            with contextlib.suppress(asyncio.CancelledError, InfrastructureError):
                await session

    def _overdue(self) -> bool:
        factor = self._job.provider.factor
        if self._current is None:
            return self._pace.seconds > self._quiet_since + IDLE * factor
        timeout = self._job.tests[self._current.test].timeout
        assert timeout is not None  # the plan gave it one
        return self._pace.seconds > self._current.since + timeout * factor

    def _hear_all(self, events: Sequence[Began | Told]) -> None:
        """Take what the harness tells, up to a failure that may be the server's: the rest waits for `_prove`."""
        now, end = self._pace.seconds, console.end_position(self._guest.console)
        self._heard.extend(_Heard(event, now, end) for event in events)
        while self._heard and self._take(self._heard[0]):
            self._heard.popleft()

    def _take(self, heard: _Heard) -> bool:
        """Take one piece of news; False where it must not be believed, or not yet."""
        event = heard.event
        self._begin(event.test, heard.at)
        if isinstance(event, Told):
            # What is told of a file system that nobody serves is no result.
            if self._unserved() or (event.outcome.status is Status.FAIL and self._job.servers.wanted):
                return False
            self._finish(event.test, event.outcome, event.text, heard.console_end)
        return True

    async def _prove(self) -> None:
        """Ask the servers whether they serve before a failure is believed; after the first that does not, nothing is."""
        while self._heard and not self._unserved():
            self._ill = await self._job.servers.ill()
            if not self._unserved():
                heard = self._heard.popleft()
                assert isinstance(heard.event, Told)
                self._finish(heard.event.test, heard.event.outcome, heard.event.text, heard.console_end)
                self._hear_all(())

    def _begin(self, test: TestId, at: float) -> None:
        if test in self._begun or test not in self.left:
            return
        self._begun.add(test)
        self._current = _Current(test, at, self._pace.lost)
        self._job.begin(test, self._name)

    def _finish(self, test: TestId, outcome: Outcome, text: str = "", console_end: Position | None = None) -> None:
        """A test of this chunk has its status; what it printed, its console and what it left behind are kept with it.

        `console_end` is where its console ends at the latest.
        """
        if self.left.pop(test, None) is None:
            return
        end = console.end_position(self._guest.console) if console_end is None else console_end
        # What the harness says of one test may be overtaken by what the kernel says in the next.
        lines = self._log.cut(self._log.before([self._suite.console_mark(other) for other in self.left], end))
        last, lost = self._work.lost >= MAX_LOST, self._lost_in_test()
        if why := doubt(outcome, lines, lost, self._pace.why, last=last):
            if not last:
                self._again(test, why)
                return
            outcome, lines = Outcome(Status.MISSING, outcome.seconds, why), of_the_kernel(lines, lost)
        outcome, spoiled = with_reports(outcome, lines)
        self._unfit = self._unfit or spoiled
        name = self._job.output_name(test)
        self._job.keep(name, text.splitlines())
        if lines and outcome.status is not Status.SKIP:
            self._job.keep(self._job.output_name(test, ".console"), lines)
        outcome = replace(outcome, guest=self._name, output=name)
        self._told[test] = outcome
        self._job.servers_said(f"while {test} ran")
        self._current = None
        self._quiet_since = self._pace.seconds
        self._job.end(test, outcome)
        self._leftovers.want(test)

    def _unserved(self) -> str:
        """Why the tests of this chunk are served no more, in a line; empty while they are."""
        return self._ill or self._job.servers.lost(self._generation)

    def _without_server(self, why: str) -> str:
        """The server is gone: the test in flight has no result, not even if it never lets a server live."""
        self._job.servers_said(f"while {self._current.test if self._current else self._work.suite} ran")
        if self._current is None:
            raise InfrastructureError(why)
        self._try_alone(self._current.test, why, Outcome(Status.MISSING, reason=why))
        return self._give_back(why)

    def _give_back(self, why: str) -> str:
        """What is left goes back to the pool it came from."""
        for test, planned in self.left.items():
            self._job.queue.pool(test, planned.expected, last=self._work.last)
        self.left.clear()
        return why

    def _try_alone(self, test: TestId, why: str, last: Outcome) -> None:
        """The test in flight is tried again by itself on a fresh guest, so that it, or nothing, is to blame."""
        if self._work.lost >= MAX_LOST:
            self._job.trouble(self._name, f"{test}: {why}")
            self._finish(test, last)
            return
        self.left.pop(test)
        said = of_the_kernel(self._log.cut(), self._lost_in_test())
        self._job.stray(self._name, said, f"during {test}, when it was lost")
        self._again(test, why)

    def _again(self, test: TestId, why: str) -> None:
        """Have the test run by itself on a fresh guest."""
        self._job.trouble(self._name, f"{test}: {why}")
        expected = self._job.tests[test].expected or 0.0
        self._job.queue.put(replace(self._work.again(), tests=(test,), expected=expected))
        self._current = None
        self._quiet_since = self._pace.seconds

    def _lost_in_test(self) -> float:
        """Seconds of the test in flight in which nobody could work."""
        return self._pace.lost - self._current.lost if self._current else 0.0

    async def _lost(self, error: InfrastructureError) -> str:
        """The guest is gone, or the way to it."""
        if self._current is None:
            await gone(self._guest)  # the console is up to date then
            self._job.stray(self._name, self._log.cut(), f"while no test of {self._work.suite} ran")
            raise error
        current = self._current
        seconds = self._pace.seconds - current.since
        last = self._work.lost >= MAX_LOST
        factor, lost = self._job.provider.factor, self._lost_in_test()
        try:
            outcome = await fate(self._guest, error, self._log.since, seconds, factor=factor, last=last, lost=lost)
        except InfrastructureError as trouble:
            self._try_alone(current.test, trouble.message, Outcome(Status.MISSING, reason=trouble.message))
        else:
            self._finish(current.test, outcome)
        return self._give_back(error.message)

    async def _hung(self) -> str:
        """Past its deadline: let the kernel say who waits for what, keep what there is, have the guest reset."""
        if self._current is None:
            silence = IDLE * self._job.provider.factor
            raise InfrastructureError(f"{self._work.suite} said nothing for {silence:.0f} s and ran no test")
        current = self._current
        seconds = self._pace.seconds - current.since
        try:
            await prove_silent(self._guest)
        except LostGuestError as error:
            return await self._lost(error)
        await self._let_the_kernel_tell()
        reason = f"not done after {seconds:.0f} s"
        if usual := self._job.tests[current.test].expected:
            reason += f"; it usually takes {usual:.0f} s"
        self._finish(current.test, Outcome(Status.HANG, seconds, reason))
        if await self._guest.ssh.answers(timeout=_LAST_ANSWER * self._job.provider.factor):
            await self._leftovers.drained()
        return self._give_back(f"{current.test.name} hung")

    async def _let_the_kernel_tell(self) -> None:
        """Blocked tasks, then all tasks, onto the console, waited for until it falls silent."""
        with contextlib.suppress(InfrastructureError):
            await self._guest.sysrq("8wt")
        before = -1
        for _ in range(20):
            await asyncio.sleep(_LAST_DEBUG / 5)
            if before == (before := console.end_of(self._guest.console)):
                return

    def _explain_unfinished(self, ended: Completed) -> None:
        """The harness ended before it told of every test."""
        if not self.left:
            return
        complaint = self._account.complaint
        how = complaint or f"{self._work.suite} ended with exit code {ended.returncode}"
        if self._current and not complaint:
            times = f" {MAX_LOST + 1} times in a row" if self._work.lost else ""
            reason = f"{how}{times} while it ran"
            self._try_alone(self._current.test, f"{how} while it ran", Outcome(Status.FAIL, reason=reason))
            self._unfit = self._give_back(how)
            return
        self._job.trouble(self._name, how)
        self._unfit = how
        if self._work.lost < (1 if complaint else MAX_LOST):
            self._job.queue.put(replace(self._work.again(), tests=tuple(self.left)))
            self.left.clear()
            return
        # It says the same on a fresh guest: nothing is known of these tests, and of none of their like.
        profile = self._work.tests[0].profile
        for test in (*self.left, *(self._job.queue.drop(self._work.suite, profile) if complaint else ())):
            self._job.end(test, Outcome(Status.MISSING, reason=how))
        self.left.clear()

    async def _sweep(self, *, said: bool = True) -> str:
        """Ask the guest whether the tests left it fit for more.

        Unless the kernel `said` what explains a new taint flag, here or under a test, the flag is a report of its own.
        """
        script = 'cat /proc/sys/kernel/tainted; exec "$@"'
        command = ["sh", "-c", script, "kdevops", *self._suite.sweep_command()]
        done = await self._guest.ssh.run(command, timeout=COMMAND * self._job.provider.factor, check=False)
        if done.returncode != 0 or not done.stdout:
            return f"what tests left behind could not be found out (exit code {done.returncode})"
        tainted, *reasons = done.stdout.splitlines()
        if worse := taint.worsened(self._tainted, taint.parse(tainted) or 0):
            told = (report for outcome in self._told.values() for report in outcome.reports)
            if not said and not any(report.gates for report in told):
                self._job.stray_taint(self._name, worse, f"after {len(self._told)} tests of {self._work.suite}")
            return worse
        return clean(reasons[0], 200) if reasons else ""
