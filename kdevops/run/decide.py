"""Decides on the failures of a run that nobody knows: runs these tests again, on both kernels in turn, until it is clear.

Without a baseline kernel they run again on the kernel under test only, against the counts of the baseline. Everything that
counts is in the store: a decision that was stopped anywhere goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from kdevops.errors import KdevopsError, UserError
from kdevops.lab.verdict import Reruns
from kdevops.progress import Progress
from kdevops.results.decision.decide import Rule
from kdevops.results.events import Note, RunEvent
from kdevops.results.faces import selected
from kdevops.results.model import Outcome, RunState, TestId
from kdevops.results.reruns import (
    CUT_SHORT,
    DECISION,
    SIDE,
    TURN,
    Side,
    decided,
    decision_record,
    in_words,
    is_begun,
    spent,
    still_open,
)
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.results.verdict import RunVerdict
from kdevops.run import session
from kdevops.run.dirs import Dirs
from kdevops.run.evidence import keep_evidence
from kdevops.run.judging import concluded, judge
from kdevops.run.lock import lab_lock
from kdevops.run.new_run import new_run
from kdevops.run.plan.known import KNOWN
from kdevops.run.plan.narrow import told
from kdevops.run.plan.record import COMPARED_WITH, as_asked, beside_of, compared_with, lab_of
from kdevops.run.session import Ended, Ready, Watcher
from kdevops.run.spending import FAIR_CHANCE, Limits, Spending, in_short, is_hopeless, that_fit


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel on which tests run again: its run, and what that was made of."""

    side: Side
    run: Run
    ready: Ready


async def decide(run_id: int, given: Limits | None, dirs: Dirs, watcher: Watcher) -> Ended:
    """Decide on the failures of an ended run, or go on with that, within the budget; then judge the run.

    `given` limits the number of single results on both kernels together, and the seconds, of this call; what it does not
    limit, the lab does. The lab also gives the rule, fixed when this begins. Raises UserError if the run, or that of the
    baseline kernel, has not ended, if another command has the lab, or if a kernel or a suite has changed since, and
    InfrastructureError if the store has lost the baseline kernel's run.
    """
    with Store(dirs.state) as store, ExitStack() as held:
        run = store.run(run_id)
        _check(run)
        beside = beside_of(store, run, to_be="decided")
        for each in (run, *([beside] if beside else [])):
            lab = lab_of(each)  # locked before anything is changed: another decide may be running
            held.enter_context(lab_lock(dirs.lab(lab.name), lab.name, "decide"))
        run = store.run(run_id)
        await keep_evidence(store, run_id)
        verdict, rules = judge(store, run), lab_of(run).verdict
        _check_beside(verdict)
        if DECISION in run.record or verdict.undecided:
            sides = _sides(run, verdict, store, watcher)
            for each in store.deciding(run_id):
                if not each.ended:  # that decision was killed: what it has counts, the rest runs again
                    _cut_short(store, each.id)
            if not is_begun(run, verdict.arm):  # fixed once for all, for it must not depend on what reruns give
                rule, on_both = Rule(rules.alpha, rules.smallest, rules.probation), len(sides) > 1
                chosen, alone = selected(verdict, beside=on_both), compared_with(run) is not None and not on_both
                store.update_record(run_id, decision_record(chosen, rule, of=len(verdict.tests), alone=alone))
            tests = decided(store, store.run(run_id))
            budget, left = _within(given, rules.rerun or Reruns()), still_open(tests)
            if hopeless := [test for test in left if tests[test].is_hopeless]:
                few = f"hardly any results of these tests are stored, and no other kernel runs: {told(hopeless)}"
                watcher.handle(Note(f"{few}; `compare` in the lab, or results that are accepted, would decide"))
            if not left:
                watcher.handle(Note("all is decided"))
            elif min(budget.count, budget.time) <= 0:
                watcher.handle(Note(f"no budget for reruns; still open: {told(left)}"))
            elif len(hopeless) < len(left):
                kernels = [await _kernel(side, each, dirs, watcher) for side, each in sides]
                await _until_decided(run_id, kernels, budget, dirs, store, watcher)
        else:
            watcher.handle(Note(f"run {run_id} has no unknown failure of a test: reruns have nothing to decide"))
        return Ended(*concluded(store, run_id))


async def decide_after(ended: Ended, given: Limits | None, dirs: Dirs, watcher: Watcher) -> Ended:
    """Decide on the failures of a run that has just ended, if its lab wants that, or `given` says what it may cost.

    The run is over: whatever goes wrong here is told, and its verdict is not lost.
    """
    if not (ended.run.ended and ended.verdict.undecided and (given or lab_of(ended.run).verdict.rerun)):
        return ended
    try:
        return await decide(ended.run.id, given, dirs, watcher)
    except KdevopsError as error:
        watcher.handle(Note(f"its failures could not be decided: {error.message}"))
        with Store(dirs.state) as store:
            return Ended(*concluded(store, ended.run.id))  # some may have been, before that


def _within(given: Limits | None, lab: Reruns) -> Reruns:
    count, seconds = given or (None, None)
    return Reruns(count=lab.count if count is None else count, time=lab.time if seconds is None else seconds)


def _check(run: Run) -> None:
    if run.decides is not None:
        raise UserError(f"run {run.id} helps to decide run {run.decides}", hint=f"kdevops decide {run.decides}")
    if not run.ended:
        raise UserError(f"run {run.id} has not ended", hint=f"continue it first: kdevops resume {run.id}")


def _check_beside(verdict: RunVerdict) -> None:
    """Raise UserError if the baseline kernel's run goes on."""
    if (arm := verdict.arm) and arm.goes_on:
        raise UserError(
            f"run {arm.run.id}, of the baseline kernel, has not ended",
            hint=f"continue it first: kdevops resume {arm.run.id}",
        )


def _sides(run: Run, verdict: RunVerdict, store: Store, watcher: Watcher) -> list[tuple[Side, Run]]:
    """The runs whose kernels run again, the baseline's first. If nothing ran on the baseline kernel, it does not run again."""
    beside = compared_with(run)
    if beside is not None and is_begun(run, verdict.arm):
        beside = beside if any(each["beside"] for each in run.record[DECISION]["tests"].values()) else None
    elif beside is not None and not (verdict.arm and verdict.arm.ran):
        watcher.handle(Note(f"nothing ran on the baseline kernel (run {beside}): the counts in the baseline decide"))
        beside = None
    return [*([(Side.BASELINE, store.run(beside))] if beside is not None else []), (Side.NOW, run)]


async def _kernel(side: Side, run: Run, dirs: Dirs, watcher: Watcher) -> Kernel:
    return Kernel(side, run, await session.rebuild(run, lab_of(run), dirs, watcher))


async def _until_decided(
    run_id: int, kernels: Sequence[Kernel], budget: Reruns, dirs: Dirs, store: Store, watcher: Watcher
) -> None:
    """Run turns of all tests that are open until none is, or the budget is used up, or runs give nothing more.

    Each result is of a guest that booted for it, and every other turn begins with the other kernel: what a boot, or the
    order, does to a test must not look like what the kernel does.
    """
    quiet, run = _Quiet(watcher), store.run(run_id)
    spending, tests = Spending(budget, spent(store, run)), decided(store, run)
    plans = {kernel.side: {row.id: row for row in store.plan(kernel.run.id)} for kernel in kernels}
    sides = {test: sum(test in plan for plan in plans.values()) for test in tests}
    turn = max((each.record[TURN] for each in store.deciding(run_id)), default=0)
    abreast = min(len(kernel.ready.lab.guest_names()) for kernel in kernels)
    began, idle = {test: each.tries for test, each in tests.items()}, Counter[TestId]()
    await _stop(kernels, watcher)
    most = in_short(budget)
    to_run = [test for test in still_open(tests) if not tests[test].is_hopeless]
    watcher.handle(Note(f"failures that nobody knows run again, for at most {most}: {told(to_run)}"))
    while left := still_open(tests):
        likely = {
            test: tests[test]
            for test in left
            if idle[test] < FAIR_CHANCE and not is_hopeless(tests[test], since=began[test])
        }
        chosen = that_fit(likely, sides, spending.room(spent(store, run)), abreast=abreast)
        if not chosen:
            why = "the budget for reruns is used up" if likely else "more reruns are unlikely to tell"
            watcher.handle(Note(f"{why}; still open: {told(left)}"))
            return
        turn, nothing = turn + 1, dict[TestId, str]()
        for kernel in kernels if turn % 2 else reversed(kernels):
            rows = [plans[kernel.side][test] for test in chosen if test in plans[kernel.side]]
            if not rows:
                continue  # the baseline kernel has none of these tests
            again = new_run(store, dirs, kernel.ready.lab.name, rows, _record(kernel, turn), decides=run_id)
            if trouble := await _trouble_in(again, kernel, dirs, store, quiet):
                _cut_short(store, again)
                watcher.handle(Note(f"cannot go on deciding: {trouble}"))
                return
            nothing |= _without_result(store, again)
        so_far, tests = tests, decided(store, run)
        for test in chosen:
            answered = so_far[test].tally != tests[test].tally
            idle[test] = 0 if answered else idle[test] + 1
            instead = f": {nothing[test]}" if test in nothing else ""
            watcher.handle(Note(f"{test}: {in_words(tests[test]) if answered else f'no result{instead}'}"))


async def _trouble_in(rerun: int, kernel: Kernel, dirs: Dirs, store: Store, watcher: Watcher) -> str:
    """Run a rerun; returns why no other can follow it, "" if one can."""
    try:
        drained = await session.run_rest(rerun, kernel.ready, dirs, store, watcher, persist=False)
    except UserError as error:  # of a suite that cannot run some of its tests alone
        return error.message
    if drained.state is not RunState.INTERRUPTED:
        return ""
    return drained.errors[-1].message if drained.errors else "no guest is left"


def _without_result(store: Store, rerun: int) -> dict[TestId, str]:
    """The tests that gave no result, with what they gave instead, and why."""
    return {
        test: ", ".join(filter(None, [outcome.status.value, outcome.reason]))
        for test, outcome in store.outcomes(rerun, brief=True).items()
        if not outcome.status.ran
    }


def _cut_short(store: Store, run_id: int) -> None:
    """End a rerun of which some tests had no chance of a result."""
    store.update_record(run_id, {CUT_SHORT: True})
    store.finish(run_id)


async def _stop(kernels: Iterable[Kernel], watcher: Watcher) -> None:
    """Stop guests that are still up, so that each turn begins with fresh ones."""
    for kernel in kernels:
        for name in kernel.ready.lab.guest_names():
            if guest := kernel.ready.provider.attach(name):
                watcher.handle(Note(f"guest {name} is stopped: each rerun is of a guest that boots for it"))
                await guest.down()


def _record(kernel: Kernel, turn: int) -> dict[str, JSON]:
    """As the run's own, but nothing is left out for being known, and nothing is compared."""
    own = {KNOWN, COMPARED_WITH}
    return {name: value for name, value in as_asked(kernel.run).items() if name not in own} | {
        SIDE: kernel.side,
        TURN: turn,
    }


class _Quiet:
    """Shows steps and trouble, without a line for each result and guest."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.confirm = watcher.confirm

    def handle(self, event: RunEvent | Progress) -> None:
        if isinstance(event, Progress | Note):
            self._watcher.handle(event)

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome] | None = None) -> None:
        pass
