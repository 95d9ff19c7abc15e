"""Tracks the tests of a chunk: which is in flight, which have a status, and which go back to the queue."""

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
    """The test in flight. `since`: its start by the guest's pace; `lost`: seconds lost by then."""

    test: TestId
    since: float
    lost: float


class Ledger:
    """Each test of `work` leaves `left` exactly once: with a status, or back to the queue.

    `left`: tests without a status that have not been given back. `told`: outcomes stored here. `current`: the test in flight,
    or None since `quiet_since` by the guest's pace. `unfit`: the kernel report after which the guest must not be reused.
    `unseen`: finished tests whose start the console did not show, so that their kernel messages may be missing there.
    `finished` is called for each test that got a status.
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
        self.unseen: list[TestId] = []

    @property
    def seconds(self) -> float:
        """Seconds the test in flight has taken so far; 0 without one."""
        return self._pace.seconds - self.current.since if self.current else 0.0

    @property
    def lost_in_test(self) -> float:
        """Seconds of the test in flight in which the guest or kdevops was held up."""
        return self._pace.lost - self.current.lost if self.current else 0.0

    def begin(self, test: TestId, at: float) -> None:
        """The harness started this test at time `at` by the guest's pace."""
        if test in self._begun or test not in self.left:
            return
        self._begun.add(test)
        self.current = Current(test, at, self._pace.lost)
        self._job.begin(test, self._name)

    def finish(self, test: TestId, outcome: Outcome, text: str = "", console_end: Position | None = None) -> None:
        """Store a test's status, output and console, and have its files fetched.

        `console_end`: the latest end of its console output.
        """
        if self.left.pop(test, None) is None:
            return
        end = console.end_position(self._guest.console) if console_end is None else console_end
        # Kernel messages of the next test may arrive before the harness reports this one.
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
        mark = self._suite.console_mark(test)
        if outcome.status.ran_to_its_end and not any(mark in line for line in lines):
            self.unseen.append(test)
        self._job.servers_said(f"while {test} ran")
        self._rest()
        self._job.end(test, outcome)
        self._finished(test)

    def give_back(self) -> None:
        """Return what is left to its pool."""
        for test, planned in self.left.items():
            self._job.queue.pool(test, planned.expected, last=self._work.last)
        self._empty()

    def try_alone(self, test: TestId, why: str, last: Outcome) -> None:
        """Retry the test in flight alone on a fresh guest, so that no other test can be to blame.

        `last`: its status if it was retried often enough.
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
        """Run what is left on a fresh guest, together."""
        self._job.queue.put(replace(self._work.again(), tests=tuple(self.left)))
        self._empty()

    def all_missing(self, reason: str, *, alike: bool) -> None:
        """What is left is missing; if `alike`, so are waiting tests of the same suite and profile."""
        profile = self._work.tests[0].profile
        for test in (*self.left, *(self._job.queue.drop(self._work.suite, profile) if alike else ())):
            self._job.end(test, Outcome(Status.MISSING, reason=reason))
        self._empty()

    def _empty(self) -> None:
        self.left.clear()
        self._rest()

    def _again(self, test: TestId, why: str) -> None:
        """Run the test alone on a fresh guest."""
        self._job.trouble(self._name, f"{test}: {why}")
        expected = self._job.tests[test].expected or 0.0
        self._job.queue.put(replace(self._work.again(), tests=(test,), expected=expected))
        self._rest()

    def _rest(self) -> None:
        self.current = None
        self.quiet_since = self._pace.seconds
