"""What a run says, compared with what was known before it.

How one test is compared stands in `kdevops.results.compare`. A test that was left out on purpose, because it is known to
fail, is a `known-failure` though it was skipped.

Two things are judged beside how tests ended. What the kernel reported of its own trouble makes the run red, also under a
test that passed, unless that is known: see `complaints`. And a test that the baseline saw run, and that was not even
planned, is `absent`; where nothing says why, the run is incomplete as one with a missing test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.results.baseline import Baseline, Entry
from kdevops.results.boot_failure import BootFailure
from kdevops.results.compare import Verdict, judge_beside
from kdevops.results.complaints import Complaint, Stray, complaints, signatures, strays
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run

NARROWED = "the run was narrowed"
"""How the explanation of an absent test begins where the command line asked for other tests."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One test of a run, or one of its repeats. `before` is None for a test nobody knows.

    `now` counts how all repeats of the test ended, `arm` the same of the baseline arm, None where that did not run it.
    `gates` says that how it ended alone makes the run red; `complaints` are what the kernel reported meanwhile.
    """

    test: TestId
    outcome: Outcome
    before: Entry | None
    now: Counts
    verdict: Verdict
    gates: bool
    arm: Counts | None = None
    complaints: tuple[Complaint, ...] = ()
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """The baseline arm of an A/B run: the run of the kernel to compare with, and how its tests ended.

    `elsewhere` are signatures of what the kernel reported under other tests of that run, and beside all.
    """

    run: Run
    outcomes: Mapping[TestId, Outcome]
    elsewhere: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Every test of it has a result."""
        return self.run.state is RunState.COMPLETE

    @property
    def counts(self) -> Counts:
        """How many tests ended how."""
        return Counts.of(outcome.status for outcome in self.outcomes.values())


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """What a whole run says. `series` is that of its kernel; `compared` has the series each suite's table came from.

    `ignored` are directories of the baseline that are of no series. `ever_ran` are the tests that the baseline saw run, or
    has, of the suites and profiles of the run; `absent` those of them that were not planned, each with what explains that, ""
    where nothing does. `strays` are kernel reports that no test is to blame for.
    """

    tests: tuple[Judged, ...]
    series: str
    compared: Mapping[tuple[str, str], str | None]
    arm: Arm | None = None
    ignored: tuple[str, ...] = ()
    ever_ran: frozenset[TestId] = frozenset()
    absent: Mapping[TestId, str] = field(default_factory=dict)
    boot_failure: BootFailure | None = None
    strays: tuple[Stray, ...] = ()

    @property
    def counts(self) -> Counts:
        """How many tests ended how; the total is what was planned."""
        return Counts.of(each.outcome.status for each in self.tests)

    @property
    def ran(self) -> int:
        """How many tests really ran: neither skipped nor missing."""
        return self.counts[Status.PASS] + self.counts.bad

    @property
    def complete(self) -> bool:
        """Every planned test has a result."""
        return self.counts[Status.MISSING] == 0

    @property
    def lost(self) -> tuple[TestId, ...]:
        """The tests that the baseline saw run, that were not planned, and of which nothing says why."""
        return tuple(sorted(test for test, why in self.absent.items() if not why))

    @property
    def troubles(self) -> frozenset[str]:
        """Signatures of what the kernel reported of its own trouble and nobody knows."""
        under_tests = (each for test in self.tests for each in test.complaints)
        found = (*under_tests, *(each.complaint for each in self.strays))
        return frozenset(each.signature for each in found if each.gates)

    @property
    def exit_code(self) -> ExitCode:
        """OK only when nothing gates, nothing is missing (in the baseline arm neither), nothing was lost and something ran.

        A regression outweighs incompleteness, and a kernel that does not boot where another one did is one.
        """
        if self.boot_failure or self.troubles or any(each.gates for each in self.tests):
            return ExitCode.REGRESSION
        whole = self.complete and (self.arm is None or self.arm.complete) and not self.lost
        return ExitCode.OK if whole and self.ran else ExitCode.INCOMPLETE

    def of(self, *verdicts: Verdict) -> tuple[Judged, ...]:
        """The tests with one of these verdicts, in the plan's order; of each test's repeats the one that ended worst."""
        worst: dict[TestId, Judged] = {}
        for each in self.tests:
            if each.verdict in verdicts:
                plain = each.test.plain
                worst[plain] = max(
                    worst.get(plain, each), each, key=lambda judged: judged.outcome.status.ending.severity
                )
        return tuple(worst.values())


def judge_run(
    planned: Sequence[TestId],
    outcomes: Mapping[TestId, Outcome],
    baseline: Baseline,
    *,
    left_out: Collection[TestId] = (),
    arm: Arm | None = None,
    asked: Collection[tuple[str, str]] = (),
    had: Collection[TestId] = (),
    explain: Callable[[TestId], str] = lambda _: "",
    boot_failure: BootFailure | None = None,
    strays_said: Iterable[Mapping[str, Any]] = (),
) -> RunVerdict:
    """Judge every planned test; one without an outcome yet is missing.

    `left_out` are tests that were not run because they are known to fail; their status is skip. `arm` is the run on
    the baseline kernel beside this one. `asked` are suites and profiles that were asked for, over those that are
    planned; `had` are tests that only the baseline kernel has. `explain` tells why a test that the baseline saw run, or
    has, was not planned, "" where nothing says so. `boot_failure` says that the kernel did not boot;
    `strays_said` are the reports of the run's record that no test is to blame for. Raises InfrastructureError when the
    numbers do not add up: an outcome that nobody planned, a test planned twice.
    """
    now = _by_test({test: outcomes[test].status if test in outcomes else Status.MISSING for test in planned})
    beside = _by_test({test: outcome.status for test, outcome in arm.outcomes.items()}) if arm else {}
    known = frozenset(baseline.reports.notes)
    if arm:
        known |= arm.elsewhere | signatures(arm.outcomes.values())
    tests = tuple(
        _judge_test(
            test,
            outcomes.get(test),
            now[test.plain],
            baseline,
            beside.get(test.plain),
            known,
            left_out=test in left_out,
        )
        for test in planned
    )
    tables = {(test.suite, test.profile): baseline.table(test) for test in planned}
    compared = {key: table.series if table else None for key, table in tables.items()}
    ever_ran = baseline.ever_ran({*tables, *asked}) | (beside.keys() & now.keys()) | frozenset(had)
    absent = {test: explain(test) for test in ever_ran - {test.plain for test in planned}}
    _check_sum(planned, outcomes, (each.outcome.status for each in tests))
    return RunVerdict(
        tests,
        baseline.series,
        compared,
        arm,
        baseline.ignored,
        ever_ran,
        absent,
        boot_failure,
        strays(strays_said, known),
    )


def _by_test(statuses: Mapping[TestId, Status]) -> dict[TestId, Counts]:
    """How often each test ended how, all its repeats together, under its plain name."""
    repeats: dict[TestId, list[Status]] = {}
    for test, status in statuses.items():
        repeats.setdefault(test.plain, []).append(status)
    return {plain: Counts.of(each) for plain, each in repeats.items()}


def _judge_test(
    test: TestId,
    outcome: Outcome | None,
    now: Counts,
    baseline: Baseline,
    arm: Counts | None,
    known: Collection[str],
    *,
    left_out: bool,
) -> Judged:
    outcome = outcome or Outcome(Status.MISSING, reason="no result yet")
    before = baseline.entry(test)
    verdict = judge_beside(before, arm, now)
    if outcome.status is Status.MISSING:
        verdict = Verdict.MISSING
    elif left_out and outcome.status is Status.SKIP:
        verdict = Verdict.KNOWN_FAILURE
    bad = Counts.of([outcome.status]).bad > 0
    gates = bad and verdict in {Verdict.REGRESSED, Verdict.NEW}
    reported = complaints(outcome, known, excused=bad and before is not None and before.expunged)
    skipped = left_out and outcome.status is Status.SKIP
    return Judged(test, outcome, before, now, verdict, gates, arm, reported, left_out=skipped)


def _check_sum(planned: Sequence[TestId], outcomes: Mapping[TestId, Outcome], statuses: Iterable[Status]) -> None:
    unplanned = outcomes.keys() - set(planned)
    total = Counts.of(statuses).total
    if unplanned or len(set(planned)) != total:
        raise InfrastructureError(
            f"the numbers of this run do not add up: {len(set(planned))} tests planned, {total} counted,"
            f" {len(unplanned)} with a result that nobody planned",
            hint="this is a fault of kdevops: please report it with the result store",
        )
