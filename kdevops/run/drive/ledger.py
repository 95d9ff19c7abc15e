"""The tests of a chunk: which of them is in flight, which have a status, and which go back to the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kdevops.guest import console
from kdevops.guest.console import Position
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.endings import Belief, belief
from kdevops.run.drive.job import MAX_LOST, Job
from kdevops.run.drive.kernel_log import KernelLog
from kdevops.run.drive.pace import Pace
from kdevops.run.drive.reports import doubt, of_the_kernel, with_reports
from kdevops.run.drive.work import Work
from kdevops.suites.base import PlannedTest


@dataclass(frozen=True, slots=True)
class Current:
    """The test in flight: since when by the guest's pace, and how much of that had been lost by then."""

    test: TestId
    since: float
    lost: float


class Ledger:
    """Each test of `work` leaves `left` once: with a status, or back to the queue.

    `left` have no status and were not given back yet; `told` have their status from here. `current` is the test in flight,
    None since `quiet_since` by the guest's pace. `unfit` is why the guest must not be used on, as the kernel said. `finished` is
    called with each test that has its status.
    """

    def __init__(
        self,
        job: Job,
        name: str,
        guest: Guest,
        work: Work,
        log: KernelLog,
        pace: Pace,
        finished: Callable[[TestId], None],
    ) -> None:
        self._job, self._name, self._guest, self._work, self._log = job, name, guest, work, log
        self._pace, self._finished = pace, finished
        self._suite = job.chunk_suites[work.suite]
        self.left: dict[TestId, PlannedTest] = {test: job.tests[test] for test in work.tests}
        self.told: dict[TestId, Outcome] = {}
        self._begun: set[TestId] = set()
        self.current: Current | None = None
        self.quiet_since = 0.0
        self.unfit = ""

    @property
    def seconds(self) -> float:
        """What the test in flight has taken so far; 0 where there is none."""
        return self._pace.seconds - self.current.since if self.current else 0.0

    @property
    def lost_in_test(self) -> float:
        """Seconds of the test in flight in which nobody could work."""
        return self._pace.lost - self.current.lost if self.current else 0.0

    def begin(self, test: TestId, at: float) -> None:
        """The harness began this test, at this time by the guest's pace."""
        if test in self._begun or test not in self.left:
            return
        self._begun.add(test)
        self.current = Current(test, at, self._pace.lost)
        self._job.begin(test, self._name)

    def finish(self, test: TestId, outcome: Outcome, text: str = "", console_end: Position | None = None) -> None:
        """A test has its status; what it printed, its console and what it left behind are kept with it.

        `console_end` is where its console ends at the latest.
        """
        if self.left.pop(test, None) is None:
            return
        end = console.end_position(self._guest.console) if console_end is None else console_end
        # What the harness says of one test may be overtaken by what the kernel says in the next.
        lines = self._log.cut(self._log.before([self._suite.console_mark(other) for other in self.left], end))
        lost = self.lost_in_test
        why = doubt(outcome, lines, lost, self._pace.why, last=self._work.lost >= MAX_LOST)
        match belief(doubted=bool(why), lost=self._work.lost):
            case Belief.AGAIN:
                self._again(test, why)
                return
            case Belief.MISSING:
                outcome, lines = Outcome(Status.MISSING, outcome.seconds, why), of_the_kernel(lines, lost)
            case Belief.TAKEN:
                pass
        outcome, spoiled = with_reports(outcome, lines)
        self.unfit = self.unfit or spoiled
        name = self._job.output_name(test)
        self._job.keep(name, text.splitlines())
        if lines and outcome.status is not Status.SKIP:
            self._job.keep(self._job.output_name(test, ".console"), lines)
        outcome = replace(outcome, guest=self._name, output=name)
        self.told[test] = outcome
        self._job.servers_said(f"while {test} ran")
        self._rest()
        self._job.end(test, outcome)
        self._finished(test)

    def give_back(self) -> None:
        """What is left goes back to the pool it came from."""
        for test, planned in self.left.items():
            self._job.queue.pool(test, planned.expected, last=self._work.last)
        self._empty()

    def try_alone(self, test: TestId, why: str, last: Outcome) -> None:
        """The test in flight is tried again by itself on a fresh guest, so that it, or nothing, is to blame.

        `last` is its status where it was tried often enough.
        """
        if self._work.lost >= MAX_LOST:
            self._job.trouble(self._name, f"{test}: {why}")
            self.finish(test, last)
            return
        self.left.pop(test)
        said = of_the_kernel(self._log.cut(), self.lost_in_test)
        self._job.stray(self._name, said, f"during {test}, when it was lost")
        self._again(test, why)

    def all_again(self) -> None:
        """What is left runs on a fresh guest, together."""
        self._job.queue.put(replace(self._work.again(), tests=tuple(self.left)))
        self._empty()

    def all_missing(self, reason: str, *, alike: bool) -> None:
        """Nothing is known of what is left; where they are `alike`, nor of the others of their suite and profile that wait."""
        profile = self._work.tests[0].profile
        for test in (*self.left, *(self._job.queue.drop(self._work.suite, profile) if alike else ())):
            self._job.end(test, Outcome(Status.MISSING, reason=reason))
        self._empty()

    def _empty(self) -> None:
        self.left.clear()
        self._rest()

    def _again(self, test: TestId, why: str) -> None:
        """Have the test run by itself on a fresh guest."""
        self._job.trouble(self._name, f"{test}: {why}")
        expected = self._job.tests[test].expected or 0.0
        self._job.queue.put(replace(self._work.again(), tests=(test,), expected=expected))
        self._rest()

    def _rest(self) -> None:
        self.current = None
        self.quiet_since = self._pace.seconds
