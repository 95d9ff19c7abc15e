"""The verdict on a stored run: what its record and the store say, compared with the present baseline.

Apart from `kdevops.run.session`, so that looking at a run imports nothing of what makes one.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.results.baselines import baseline
from kdevops.results.baselines.allowed_reports import day_of
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.boot_failure import BootFailure
from kdevops.results.complaints import STRAY_REPORTS, signatures
from kdevops.results.in_short import in_short
from kdevops.results.model import TestId
from kdevops.results.reruns import boot_failure_of, decided, is_begun, records_of_reruns, strays_of
from kdevops.results.store import Run, Store
from kdevops.results.unwatched import Unwatched
from kdevops.results.verdict import Arm, RunVerdict, judge_run
from kdevops.run.evidence import judged_by, kept_files
from kdevops.run.plan.absent import asked_for, explaining, only_beside
from kdevops.run.plan.allowed_skips import allowing
from kdevops.run.plan.known import expunged, left_out
from kdevops.run.plan.record import beside_of, kernel_release, trouble_of


def judge(store: Store, run: Run, *, whole: bool = False, anew: bool = False) -> RunVerdict:
    """Compare a stored run with the baseline that was kept with it, and with its baseline run if it has one.

    Without a kept baseline, as for a run that goes on, and to judge it `anew`, this is the present one.

    Kernel reports that the baseline allows for a time are judged as of the day on which the run ended.
    The outcomes have the subtests that did not go well, and kernel reports without their texts; `whole`: all of them.
    Raises UserError if the baseline cannot be read.
    """
    with _without_collecting():
        return _judge(store, run, whole=whole, anew=anew)


def _judge(store: Store, run: Run, *, whole: bool, anew: bool) -> RunVerdict:
    found = store.planned_outcomes(run.id, brief=not whole)
    planned = tuple(found)
    again, beside = strays_of(store, run)
    files = None if anew else kept_files(store, run)
    arm = _arm(store, run, planned)
    known = baseline.load(
        files or Path(run.record["baseline"]),
        kernel_release(run),
        Conditions.of(run),
        today=day_of(run),
        durations=False,
    )
    verdict = judge_run(
        planned,
        {test: outcome for test, outcome in found.items() if outcome},
        known.with_expunges(expunged(run)),
        left_out=left_out(run, planned),
        arm=arm,
        asked=asked_for(run),
        had=only_beside(run),
        explain=explaining(run, planned, known),
        boot_failure=BootFailure.of(run) or boot_failure_of(store, run),
        strays_said=[*run.record.get(STRAY_REPORTS, ()), *again],
        known_too=beside,
        can_rerun="imported" not in run.record,
        decisions=decided(store, run) if is_begun(run, arm) and not (arm and arm.goes_on) else {},
        allow_skip=allowing(run),
        today=day_of(run),
        unwatched=sum(map(Unwatched.of, [run.record, *records_of_reruns(store, run)]), Unwatched()),
    )
    return replace(verdict, judged_by="" if anew else judged_by(store, run))


def concluded(store: Store, run_id: int) -> tuple[Run, RunVerdict]:
    """The run as it is now and its verdict, which is kept in short for the list of runs if the run has ended."""
    run = store.run(run_id)
    verdict = judge(store, run)
    keep_in_short(store, run, verdict)
    return run, verdict


def keep_in_short(store: Store, run: Run, verdict: RunVerdict) -> None:
    """Keep the verdict in short, for the list of runs, if the run has ended."""
    if not run.ended:
        return
    code = ExitCode.INFRASTRUCTURE if trouble_behind(run, verdict) else verdict.exit_code
    store.keep_verdict(run.id, code, in_short(verdict))


def trouble_behind(run: Run, verdict: RunVerdict) -> InfrastructureError | None:
    """The infrastructure error that left a run incomplete, so that it exits with 3 instead of 4; None if there is none.

    That is the last error of a run, or of its baseline run, that lost all its guests, or in which no test ran.
    """
    if verdict.exit_code is not ExitCode.INCOMPLETE:
        return None
    of_arm = trouble_of(verdict.arm.run) if verdict.arm and not verdict.arm.run.ended else None
    return (trouble_of(run) if not run.ended or not verdict.ran else None) or of_arm


def _arm(store: Store, run: Run, planned: Collection[TestId]) -> Arm | None:
    """The baseline run of a run, limited to the tests of both. Raises InfrastructureError if the store has lost it."""
    hint = f"its last verdict: kdevops results --lab {run.lab}; a test of it: kdevops results {run.id} --test TEST"
    beside = beside_of(store, run, to_be="judged", hint=hint)
    if beside is None:
        return None
    tests, outcomes = frozenset(planned), store.outcomes(beside.id, brief=True)
    of_both = {test: outcome for test, outcome in outcomes.items() if test in tests}
    return Arm(beside, of_both, signatures(outcomes, beside.record.get(STRAY_REPORTS, ())))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Keep the garbage collector from walking tables that only grow: nothing that makes a verdict has cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
