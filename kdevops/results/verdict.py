"""What a run says, compared with what was known before it.

How one test is compared stands in `kdevops.results.compare`. A test that was left out on purpose, because it is known to
fail, is a `known-failure` though it was skipped.

Two things are judged beside how tests ended. What the kernel reported of its own trouble makes the run red, also under a
test that passed, unless that is known: see `complaints`. And coverage that was lost makes the run incomplete, as a missing
test does: a test that the baseline, or the baseline kernel, saw run and that skips now, unless the lab allows that skip; and
one that was not even planned, which is `absent`, where nothing says why. So is a run in which the kernel's messages during
a test could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.results.baselines.allowed_reports import AllowedReports
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry
from kdevops.results.boot_failure import BootFailure
from kdevops.results.compare import Verdict, judge_beside, judge_ways
from kdevops.results.complaints import Complaint, Stray, complaints, signatures, strays
from kdevops.results.decision.decide import Decided, Decision
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.unwatched import Unwatched
from kdevops.results.ways import NO_WAYS, Ways, ways

_BY_DECISION = {
    Decision.REGRESSED: Verdict.REGRESSED,
    Decision.FLAKE: Verdict.FLAKE,
    Decision.OPEN: Verdict.INCONCLUSIVE,
}
NONE_UNWATCHED = Unwatched()
NARROWED = "the run was narrowed"
"""Prefix of the explanation for an absent test when the command line selected other tests."""


class Judged(NamedTuple):
    """One test of a run, or one of its repeats. `before` is None for an unknown test.

    `now` counts the results of all repeats, `arm` those on the baseline kernel, None if it did not run there. `gates`: its
    status alone makes the run red; `complaints` are the kernel reports during the test. `ways` are those in which it went
    bad, in any of its repeats. `decided` has what reruns of the test say, None if it was not selected for a decision.
    `allowed`: the rule of the lab that allows a test that ran before to skip now, "" without one.

    A tuple, because there is one for each result of a run, and a frozen dataclass takes twice as long to make.
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
    decided: Decided | None = None
    ways: Ways = NO_WAYS
    allowed: str = ""

    @property
    def unknown(self) -> tuple[str, ...]:
        """The symptoms of it that nobody knows, see `kdevops.results.symptoms`."""
        return self.ways.unknown

    @property
    def in_another_way(self) -> bool:
        """Whether it went bad before, or on the baseline kernel, and now goes bad in a way that nobody knows."""
        before = self.before.counts.bad if self.before else 0
        return bool(self.unknown) and before + (self.arm.bad if self.arm else 0) > 0


@dataclass(frozen=True, slots=True)
class Arm:
    """The baseline side of an A/B run: the run of the baseline kernel, and its outcomes.

    `elsewhere` are signatures of kernel reports during other tests of that run, and outside of tests.
    """

    run: Run
    outcomes: Mapping[TestId, Outcome]
    elsewhere: frozenset[str] = frozenset()

    @property
    def tests(self) -> frozenset[TestId]:
        """The tests that were planned on both kernels, by plain name."""
        return frozenset(test.plain for test in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every test of it has a result."""
        return self.run.state is RunState.COMPLETE

    @property
    def counts(self) -> Counts:
        """How many tests ended how."""
        return Counts.of(outcome.status for outcome in self.outcomes.values())

    @property
    def ran(self) -> bool:
        """Whether any test ran on the baseline kernel."""
        return any(outcome.status.ran for outcome in self.outcomes.values())

    @property
    def goes_on(self) -> bool:
        """Whether it is not finished: what it will give may know some failures, and select others."""
        return self.ran and not self.run.ended


@dataclass(frozen=True)
class RunVerdict:
    """The verdict on a run. `series` is that of its kernel; `compared` has the series of each suite's baseline table.

    `ignored` are directories of the baseline that are not named after a series. `ever_ran` are the tests of the run's suites
    and profiles that ran in the baseline or exist on the baseline kernel; `absent` those that were not planned, each with the
    reason, "" if unexplained. `strays` are kernel reports outside of tests; `allowed` those that the baseline allows.
    `judged_by`: when and from where the baseline was kept by which the run was judged, "" for the present one.
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
    allowed: AllowedReports = field(default_factory=AllowedReports)
    unwatched: Unwatched = field(default_factory=Unwatched)
    judged_by: str = ""

    @cached_property
    def counts(self) -> Counts:
        """Number of tests per status; the total is the number planned."""
        return Counts.of(each.outcome.status for each in self.tests)

    @property
    def ran(self) -> int:
        """Number of tests that ran: neither skipped nor missing."""
        return self.counts[Status.PASS] + self.counts.bad

    @property
    def complete(self) -> bool:
        """Whether every planned test has a result."""
        return self.counts[Status.MISSING] == 0

    @property
    def lost(self) -> tuple[TestId, ...]:
        """Tests that ran in the baseline but were not planned, without an explanation."""
        return tuple(sorted(test for test, why in self.absent.items() if not why))

    @property
    def undecided(self) -> tuple[Judged, ...]:
        """The tests on whose failure reruns have not decided yet."""
        return self.of(Verdict.INCONCLUSIVE)

    @cached_property
    def skipped_now(self) -> tuple[Judged, ...]:
        """Tests that ran before and skip now although the lab does not allow it, in the plan's order, each once."""
        found: dict[TestId, Judged] = {}
        for each in self.tests:
            if each.verdict is Verdict.SKIPPED_NOW and not each.allowed:
                found.setdefault(each.test.plain, each)
        return tuple(found.values())

    @cached_property
    def troubles(self) -> frozenset[str]:
        """Signatures of unknown kernel reports that gate."""
        under_tests = (each for test in self.tests for each in test.complaints)
        found = (*under_tests, *(each.complaint for each in self.strays))
        return frozenset(each.signature for each in found if each.gates)

    @property
    def exit_code(self) -> ExitCode:
        """OK only if nothing gates or is undecided, nothing is missing (nor on the baseline kernel), no coverage was lost, the
        kernel's messages were read, and something ran.

        A regression outweighs incompleteness; a kernel that does not boot although another did is a regression.
        """
        if self.boot_failure or self.troubles or any(each.gates for each in self.tests):
            return ExitCode.REGRESSION
        whole = self.complete and (self.arm is None or self.arm.complete)
        whole = whole and not (self.lost or self.skipped_now or self.undecided or self.unwatched.count)
        return ExitCode.OK if whole and self.ran else ExitCode.INCOMPLETE

    def of(self, *verdicts: Verdict) -> tuple[Judged, ...]:
        """The tests with one of these verdicts, in the plan's order; of each test's repeats, the worst."""
        if verdicts not in self._told:  # reports ask for the same ones several times
            self._told[verdicts] = self._worst_of(verdicts)
        return self._told[verdicts]

    @cached_property
    def _told(self) -> dict[tuple[Verdict, ...], tuple[Judged, ...]]:
        return {}

    def _worst_of(self, verdicts: tuple[Verdict, ...]) -> tuple[Judged, ...]:
        worst: dict[TestId, Judged] = {}
        for position in sorted(chain.from_iterable(self._positions.get(verdict, ()) for verdict in verdicts)):
            each = self.tests[position]
            known = worst.setdefault(each.test.plain, each)
            if known is not each and each.outcome.status.ending.severity > known.outcome.status.ending.severity:
                worst[each.test.plain] = each
        return tuple(worst.values())

    @cached_property
    def _positions(self) -> Mapping[Verdict, Sequence[int]]:
        """Where in `tests` each verdict is: there are few of most."""
        found: dict[Verdict, list[int]] = {}
        for position, each in enumerate(self.tests):
            found.setdefault(each.verdict, []).append(position)
        return found


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
    decisions: Mapping[TestId, Decided] = MappingProxyType({}),
    allow_skip: Callable[[TestId, str], str] = lambda _test, _reason: "",
    today: date | None = None,
    unwatched: Unwatched = NONE_UNWATCHED,
    known_too: Collection[str] = (),
    can_rerun: bool = True,
) -> RunVerdict:
    """Judge every planned test; a test without an outcome is missing.

    `left_out` are tests that were not run because they are known to fail; their status is skip. `arm` is the run on
    the baseline kernel. `asked` are requested suites and profiles, in addition to the planned ones; `had` are tests that only
    the baseline kernel has. `explain` gives the reason why a test that ran or exists in the baseline was not planned, "" if
    unknown. `boot_failure`: the kernel did not boot; `strays_said` are the reports outside of tests in the run's record.
    `decisions`: what reruns say of the failures that were selected, by plain name. `allow_skip` gives the rule that allows a
    test to skip for a reason although it ran before, "" without one. `today`: the day as of which the baseline's allowed
    kernel reports are read; without one nothing is allowed. `unwatched` are tests whose kernel messages could not be read.
    `known_too` are signatures of kernel reports on the baseline kernel in reruns. `can_rerun`: the tests of an imported run
    cannot run again, so a crash or a hang there is taken for what it looks like.
    Raises InfrastructureError when the numbers do not add up: an outcome that was not planned, a test planned twice.
    """
    now = _by_test((test, outcomes[test].status if test in outcomes else Status.MISSING) for test in planned)
    beside = _by_test((test, outcome.status) for test, outcome in arm.outcomes.items()) if arm else {}
    bad, bad_beside = _bad(outcomes), _bad(arm.outcomes) if arm else {}
    known = frozenset(baseline.reports.notes).union(known_too)
    if arm:
        known |= arm.elsewhere | signatures(arm.outcomes)
    allowed = baseline.allowed_on(today)
    tests = tuple(
        _judge_test(
            test,
            outcomes.get(test),
            now[test.plain],
            baseline,
            beside.get(test.plain),
            known,
            bad.get(test.plain, ()),
            bad_beside.get(test.plain, ()),
            left_out=test in left_out,
            decided=decisions.get(test.plain),
            allow_skip=allow_skip,
            allowed=allowed,
            can_rerun=can_rerun,
        )
        for test in planned
    )
    tables = {(test.suite, test.profile): baseline.table(test) for test in planned}
    compared = {key: table.series if table else None for key, table in tables.items()}
    ever_ran = baseline.ever_ran({*tables, *asked}) | (beside.keys() & now.keys()) | frozenset(had)
    absent = {test: explain(test) for test in ever_ran - now.keys()}
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
        strays(strays_said, known, allowed),
        allowed,
        unwatched,
    )


_ONCE = {status: Counts.of([status]) for status in Status}


def _by_test(statuses: Iterable[tuple[TestId, Status]]) -> dict[TestId, Counts]:
    """Counts of each test's results, all repeats together, under its plain name."""
    found: dict[TestId, Counts] = {}
    for test, status in statuses:
        plain, once = test.plain, _ONCE[status]  # nearly all tests run once: these share their counts
        found[plain] = found[plain] + once if plain in found else once
    return found


def _bad(outcomes: Mapping[TestId, Outcome]) -> dict[TestId, list[Outcome]]:
    """The bad outcomes of each test, all repeats together, under its plain name."""
    found: dict[TestId, list[Outcome]] = {}
    for test, outcome in outcomes.items():
        if outcome.status.is_bad:
            found.setdefault(test.plain, []).append(outcome)
    return found


def _judge_test(
    test: TestId,
    outcome: Outcome | None,
    now: Counts,
    baseline: Baseline,
    arm: Counts | None,
    known: Collection[str],
    bad_now: Sequence[Outcome],
    bad_beside: Sequence[Outcome],
    *,
    left_out: bool,
    decided: Decided | None,
    allow_skip: Callable[[TestId, str], str],
    allowed: AllowedReports,
    can_rerun: bool,
) -> Judged:
    outcome = outcome or Outcome(Status.MISSING, reason="no result yet")
    before = baseline.entry(test)
    found = NO_WAYS
    if bad_now:
        found = ways(test.plain, before, bad_beside, bad_now, ran_there=arm.ran if arm else 0, ran_now=now.ran)
    verdict = judge_ways(judge_beside(before, arm, now), found)
    if outcome.status is Status.MISSING:
        verdict = Verdict.MISSING
    elif left_out and outcome.status is Status.SKIP:
        verdict = Verdict.KNOWN_FAILURE
    elif decided and now.bad and (verdict is Verdict.INCONCLUSIVE or decided.on_both):
        verdict = _BY_DECISION[decided.decision]
    elif verdict is Verdict.INCONCLUSIVE and now.took_a_guest and not can_rerun:
        verdict = Verdict.REGRESSED if before and before.counts.ran else Verdict.NEW
    bad = outcome.status.is_bad
    gates = bad and verdict in {Verdict.REGRESSED, Verdict.NEW}
    excused = bad and before is not None and before.only_listed
    explained = verdict not in {Verdict.FLAKE, Verdict.INCONCLUSIVE}
    reported = complaints(outcome, known, excused=excused, explained=explained, test=test, allowed=allowed)
    skipped = left_out and outcome.status is Status.SKIP
    may_skip = allow_skip(test, outcome.reason) if verdict is Verdict.SKIPPED_NOW else ""
    return Judged(
        test,
        outcome,
        before,
        now,
        verdict,
        gates,
        arm,
        reported,
        left_out=skipped,
        decided=decided,
        ways=found,
        allowed=may_skip,
    )


def _check_sum(planned: Sequence[TestId], outcomes: Mapping[TestId, Outcome], statuses: Iterable[Status]) -> None:
    distinct, total = set(planned), Counts.of(statuses).total
    unplanned = [test for test in outcomes if test not in distinct]
    if unplanned or len(distinct) != total:
        raise InfrastructureError(
            f"the numbers of this run do not add up: {len(distinct)} tests planned, {total} counted,"
            f" {len(unplanned)} with a result but not planned",
            hint="this is a bug in kdevops: please report it with the result store",
        )
