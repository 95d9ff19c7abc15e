"""Runs a suite's harness in a guest and follows its tests one by one; tests it leaves unfinished are not lost."""

from __future__ import annotations

import asyncio
import codecs
import contextlib

from kdevops.errors import CommandError, InfrastructureError, LostGuestError
from kdevops.guest import console
from kdevops.process import Completed
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.endings import Ending, Look, Over, Rest, Seen, Unfinished, ending, look, unfinished
from kdevops.run.drive.file_fetcher import FileFetcher
from kdevops.run.drive.job import MAX_LOST, Job
from kdevops.run.drive.kernel_log import KernelLog
from kdevops.run.drive.ledger import Ledger
from kdevops.run.drive.lost_guest import outcome_of_loss, prove_silent, why_gone
from kdevops.run.drive.news import News
from kdevops.run.drive.pace import Pace
from kdevops.run.drive.reports import spoiled_by
from kdevops.run.drive.sweep import sweep
from kdevops.run.drive.work import Work
from kdevops.suites.base import PlannedTest
from kdevops.triage.oops import Oops, find_reports

IDLE = 300.0
"""Accelerated seconds of silence allowed while a harness runs no test: it may be starting or making a file system."""
_POLL = 0.5
_LAST_ANSWER = 3.0
"""Accelerated seconds for a guest with a hung test to answer, so that its files can still be fetched."""
_LAST_DEBUG = 5.0
# Without exec: if the harness is killed, the shell must survive to report its exit code.
_WRAPPER = 'cd "$1" || exit 97; shift; "$@" </dev/null 2>&1; exit $?'


class Chunk:
    """One invocation of a harness for the tests of `work`."""

    def __init__(
        self, job: Job, name: str, guest: Guest, work: Work, log: KernelLog, tainted: int, generation: int = 0
    ) -> None:
        self._job, self._name, self._guest, self._work, self._log = job, name, guest, work, log
        self._tainted = tainted
        self._suite = job.chunk_suites[work.suite]
        self._pace = Pace(guest, lambda text: job.trouble(name, text))
        self._fetcher = FileFetcher(job, name, guest, self._suite)
        self._ledger = Ledger(job, name, guest, work, log, self._pace, self._fetcher.want)
        self._news = News(job, guest, self._ledger, self._pace, generation)
        self._parser = self._suite.output_parser(tuple(self.left.values()))
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def left(self) -> dict[TestId, PlannedTest]:
        """The tests without a status that have not been given back."""
        return self._ledger.left

    async def run(self) -> str:
        """Run the chunk; returns why the guest must not be reused, or an empty string.

        Raises InfrastructureError if the harness cannot make progress; the caller must then give back `left`.
        """
        async with self._pace, self._fetcher:
            if unfit := await self._sweep():
                raise InfrastructureError(f"guest {self._name} is not fit for tests: {unfit}")
            ended: Completed | None = None
            lost: InfrastructureError | None = None
            try:
                ended = await self._listen()
            except (LostGuestError, CommandError) as error:
                lost = error
            self._news.hear(self._parser.close())
            await self._news.prove()
            if not lost and (not ended or self.left):
                await self._news.ask()
            over = Over(ended is not None, lost is not None, bool(self._ledger.unfit), bool(self._news.unserved()))
            try:
                unfit = await self._end(ending(over), ended, lost)
            except InfrastructureError:
                await self._look_back()
                raise
            await self._look_back()
            return unfit

    async def _end(self, how: Ending, ended: Completed | None, lost: InfrastructureError | None) -> str:
        match how:
            case Ending.UNSERVED:
                return self._without_server(self._news.unserved())
            case Ending.LOST:
                assert lost
                return await self._lost(lost)
            case Ending.HUNG:
                return await self._hung()
            case Ending.SPOILT:
                self._ledger.give_back()
                return self._ledger.unfit
            case Ending.ENDED:
                assert ended
                return await self._ended(ended)

    async def _look_back(self) -> tuple[Oops, ...]:
        """Kernel reports in the guest's own log, if the console did not show all tests; they belong to no single test.

        Tests are unwatched if that log cannot be read either.
        """
        unseen, self._ledger.unseen = self._ledger.unseen, []
        if not unseen:
            return ()
        lines = await self._log.look_back(map(self._suite.console_mark, self._ledger.told))
        if lines is None:
            for test in unseen:
                self._job.unwatched(test, self._name)
            return ()
        told = {report.signature for outcome in self._ledger.told.values() for report in outcome.reports}
        found = [each for each in find_reports(lines) if each.gates and each.signature not in told]
        said = [line for each in found for line in each.text.splitlines()]
        return self._job.stray(self._name, said, f"while tests of {self._work.suite} ran")

    async def _listen(self) -> Completed | None:
        """Follow the harness to its end; None if it hangs, the guest can no longer be trusted, or a server is lost.

        Raises LostGuestError if the guest dies or the connection breaks.
        """
        argv, directory = self._suite.chunk_command(tuple(self.left.values()))
        session = asyncio.create_task(
            self._guest.ssh.run(
                ["sh", "-c", _WRAPPER, "kdevops", directory, *argv],
                timeout=None,
                check=False,
                on_bytes=lambda data: self._news.hear(self._parser.feed(self._decoder.decode(data))),
            )
        )
        try:
            while True:
                await asyncio.wait({session}, timeout=_POLL)
                self._pace.look()
                await self._news.prove()
                if self._overdue():  # read pending output first
                    await asyncio.wait({session}, timeout=self._pace.last_look)
                    await self._news.prove()
                match look(self._see(session)):
                    case Look.ENDED:
                        return session.result()
                    case Look.DIED:
                        raise LostGuestError(f"guest {self._name} died")
                    case Look.STOP:
                        return None
                    case Look.GO_ON:
                        pass
        finally:
            session.cancel()
            with contextlib.suppress(asyncio.CancelledError, InfrastructureError):
                await session

    def _see(self, session: asyncio.Task[Completed]) -> Seen:
        return Seen(
            session.done(),
            self._guest.alive(),
            self._overdue(),
            bool(self._ledger.unfit),
            bool(self._news.unserved()),
        )

    def _overdue(self) -> bool:
        current, slowdown = self._ledger.current, self._job.provider.slowdown
        if current is None:
            return self._pace.seconds > self._ledger.quiet_since + IDLE * slowdown
        timeout = self._job.tests[current.test].timeout
        assert timeout is not None  # set by the plan
        return self._pace.seconds > current.since + timeout * slowdown

    def _give_back(self, why: str) -> str:
        self._ledger.give_back()
        return why

    def _without_server(self, why: str) -> str:
        """A server is lost: the test in flight gets no result, even if it brings the server down every time."""
        current = self._ledger.current
        self._job.servers_said(f"while {current.test if current else self._work.suite} ran")
        if current is None:
            raise InfrastructureError(why)
        self._ledger.try_alone(current.test, why, Outcome(Status.MISSING, reason=why))
        return self._give_back(why)

    async def _lost(self, error: InfrastructureError) -> str:
        """The guest or the connection to it is lost."""
        current, seconds, lost = self._ledger.current, self._ledger.seconds, self._ledger.lost_in_test
        if current is None:
            await why_gone(self._guest)  # afterwards the console is up to date
            self._job.stray(self._name, self._log.cut(), f"while no test of {self._work.suite} ran")
            raise error
        slowdown, last = self._job.provider.slowdown, self._work.lost >= MAX_LOST
        try:
            outcome = await outcome_of_loss(
                self._guest, error, self._log.since, seconds, slowdown=slowdown, last=last, lost=lost
            )
        except InfrastructureError as trouble:
            self._ledger.try_alone(current.test, trouble.message, Outcome(Status.MISSING, reason=trouble.message))
        else:
            self._ledger.finish(current.test, outcome)
        return self._give_back(error.message)

    async def _hung(self) -> str:
        """The deadline has passed: have the kernel print its tasks, keep the files, and have the guest reset."""
        current, seconds, slowdown = self._ledger.current, self._ledger.seconds, self._job.provider.slowdown
        if current is None:
            raise InfrastructureError(f"{self._work.suite} printed nothing for {IDLE * slowdown:.0f} s and ran no test")
        try:
            await prove_silent(self._guest)
        except LostGuestError as error:
            return await self._lost(error)
        await self._let_the_kernel_tell()
        reason = f"not done after {seconds:.0f} s"
        if usual := self._job.tests[current.test].expected:
            reason += f"; it usually needs {usual:.0f} s"
        self._ledger.finish(current.test, Outcome(Status.HANG, seconds, reason))
        if await self._guest.ssh.answers(timeout=_LAST_ANSWER * slowdown):
            await self._fetcher.drained()
        return self._give_back(f"{current.test.name} hung")

    async def _let_the_kernel_tell(self) -> None:
        """Have the kernel print blocked tasks, then all tasks, on the console; wait until it is silent."""
        with contextlib.suppress(InfrastructureError):
            await self._guest.sysrq("8wt")
        before = -1
        for _ in range(20):
            await asyncio.sleep(_LAST_DEBUG / 5)
            if before == (before := console.end_of(self._guest.console)):
                return

    async def _ended(self, ended: Completed) -> str:
        """Handle a harness that ended by itself."""
        await self._fetcher.drained()
        await self._fetcher.record(self._work, self._ledger.told)
        unfit = self._settle_unfinished(ended) or self._ledger.unfit
        strays = self._job.stray(self._name, self._log.cut(), f"after the last test of {self._work.suite}")
        strays = (*strays, *await self._look_back())
        return unfit or spoiled_by(strays) or await self._sweep(said=any(stray.gates for stray in strays))

    def _settle_unfinished(self, ended: Completed) -> str:
        """Decide on tests the harness did not report; returns why it ended early, or "" if it reported all."""
        complaint, current, lost = self._parser.complaint, self._ledger.current, self._work.lost
        how = complaint or f"{self._work.suite} ended with exit code {ended.returncode}"
        what = unfinished(Rest(bool(self.left), current is not None, bool(complaint), lost))
        if what not in {Unfinished.NONE, Unfinished.BLAME}:
            self._job.trouble(self._name, how)
        match what:
            case Unfinished.NONE:
                return ""
            case Unfinished.BLAME:
                assert current
                times = f" {MAX_LOST + 1} times in a row" if lost else ""
                blamed = Outcome(Status.FAIL, reason=f"{how}{times} while it ran")
                self._ledger.try_alone(current.test, f"{how} while it ran", blamed)
                self._ledger.give_back()
            case Unfinished.AGAIN:
                self._ledger.all_again()
            case Unfinished.MISSING | Unfinished.MISSING_ALIKE:
                self._ledger.all_missing(how, alike=what is Unfinished.MISSING_ALIKE)
        return how

    async def _sweep(self, *, said: bool = True) -> str:
        return await sweep(self._job, self._name, self._guest, self._suite, self._tainted, self._ledger.told, said=said)
