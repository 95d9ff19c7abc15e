"""Decides on the failures of a run that nobody knows: runs these tests again, on both kernels in turn, until it is clear.

Without a baseline kernel they run again on the kernel under test only, against the counts of the baseline. Everything that
counts is in the store: a decision that was stopped anywhere goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from kdevops.errors import UserError
from kdevops.lab.verdict import Reruns
from kdevops.progress import Progress
from kdevops.results.decision.decide import Rule
from kdevops.results.events import Note, RunEvent
from kdevops.results.model import Outcome, RunState, TestId
from kdevops.results.reruns import (
    DECISION,
    SIDE,
    TURN,
    Side,
    decided,
    decision_record,
    in_words,
    selected,
    spent,
    still_open,
)
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.run import session
from kdevops.run.dirs import Dirs
from kdevops.run.evidence import keep_evidence
from kdevops.run.judging import judge
from kdevops.run.lock import lab_lock
from kdevops.run.plan.known import KNOWN
from kdevops.run.plan.narrow import told
from kdevops.run.plan.record import COMPARED_WITH, as_asked, compared_with, lab_of
from kdevops.run.session import Ended, Ready, Watcher

Limits = tuple[int | None, float | None]
"""Most single results, and most seconds; None for no limit of its own."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel on which tests run again: its run, and what that was made of."""

    side: Side
    run: Run
    ready: Ready


async def decide(run_id: int, given: Limits | None, dirs: Dirs, watcher: Watcher) -> Ended:
    """Decide on the failures of an ended run, or go on with that, within the budget; then judge the run.

    `given` limits the number of single results on both kernels together, and the seconds, of this call; what it does not
    limit, the lab does. The lab also gives the rule, fixed when this begins. Raises UserError if the run has not ended, or if
    a kernel or a suite has changed since.
    """
    with Store(dirs.state) as store, ExitStack() as held:
        run = store.run(run_id)
        _check(run)
        await keep_evidence(store, run_id)
        rules, beside = lab_of(run).verdict, compared_with(run)
        if DECISION in run.record or selected(judge(store, run)):
            sides = [(Side.BASELINE, store.run(beside))] if beside is not None else []
            kernels = [await _kernel(side, each, dirs, watcher, held) for side, each in (*sides, (Side.NOW, run))]
            for each in store.deciding(run_id):
                if not each.ended:  # that decision was killed: what it has counts, the rest runs again
                    store.finish(each.id)
            _choose(store, run_id, Rule(rules.alpha, rules.smallest))
            budget = _within(given, rules.rerun or Reruns())
            await _until_decided(run_id, kernels, budget, dirs, store, watcher)
        else:
            watcher.handle(Note(f"run {run_id} has no unknown failure of a test: reruns have nothing to decide"))
        run = store.run(run_id)
        return Ended(run, judge(store, run))


def _within(given: Limits | None, lab: Reruns) -> Reruns:
    count, seconds = given or (None, None)
    return Reruns(count=lab.count if count is None else count, time=lab.time if seconds is None else seconds)


def _check(run: Run) -> None:
    if run.decides is not None:
        raise UserError(f"run {run.id} helps to decide run {run.decides}", hint=f"kdevops decide {run.decides}")
    if not run.ended:
        raise UserError(f"run {run.id} has not ended", hint=f"continue it first: kdevops resume {run.id}")


def _choose(store: Store, run_id: int, rule: Rule) -> None:
    """Fix which tests are to be decided, once for all, for it must not depend on what reruns give."""
    run = store.run(run_id)
    if DECISION not in run.record:
        verdict = judge(store, run)
        store.update_record(run_id, decision_record(selected(verdict), rule, of=len(verdict.tests)))


async def _kernel(side: Side, run: Run, dirs: Dirs, watcher: Watcher, held: ExitStack) -> Kernel:
    lab = lab_of(run)
    held.enter_context(lab_lock(dirs.lab(lab.name), lab.name, "decide"))
    return Kernel(side, run, await session.rebuild(run, lab, dirs, watcher))


async def _until_decided(
    run_id: int, kernels: Sequence[Kernel], budget: Reruns, dirs: Dirs, store: Store, watcher: Watcher
) -> None:
    """Run turns of all tests that are open until none is, or the budget is used up, or runs give nothing more.

    Each result is of a guest that booted for it, and every other turn begins with the other kernel: what a boot, or the
    order, does to a test must not look like what the kernel does.
    """
    began, quiet, run = time.monotonic(), _Quiet(watcher), store.run(run_id)
    before, tests = spent(store, run), decided(store, run)
    plans = {kernel.side: {row.id: row for row in store.plan(kernel.run.id)} for kernel in kernels}
    turn = max((each.record[TURN] for each in store.deciding(run_id)), default=0)
    await _stop(kernels)
    while left := still_open(tests):
        room = budget.count - (spent(store, run) - before)
        chosen = _that_fit(left, room, plans)
        if not chosen or time.monotonic() - began >= budget.time:
            watcher.handle(Note(f"the budget for reruns is used up; still open: {told(left)}"))
            return
        turn += 1
        for kernel in kernels if turn % 2 else reversed(kernels):
            rows = [plans[kernel.side][test] for test in chosen if test in plans[kernel.side]]
            if not rows:
                continue  # the baseline kernel has none of these tests
            again = store.create_run(kernel.ready.lab.name, rows, _record(kernel, turn), decides=run_id)
            drained = await session.run_rest(again, kernel.ready, dirs, store, quiet, persist=False)
            if drained.state is RunState.INTERRUPTED:
                store.finish(again)
                trouble = drained.errors[-1].message if drained.errors else "no guest is left"
                watcher.handle(Note(f"cannot go on deciding: {trouble}"))
                return
        so_far, tests = tests, decided(store, run)
        for test in chosen:
            watcher.handle(Note(f"{test}: {in_words(tests[test])}"))
        if all(so_far[test].tally == tests[test].tally for test in chosen):
            watcher.handle(Note(f"no rerun gave a result: {told(chosen)}"))
            return


def _that_fit(left: Sequence[TestId], room: int, plans: Mapping[Side, Collection[TestId]]) -> list[TestId]:
    """As many of the tests as may run once more on each kernel that has them."""
    chosen = []
    for test in left:
        room -= sum(test in plan for plan in plans.values())
        if room < 0:
            break
        chosen.append(test)
    return chosen


async def _stop(kernels: Iterable[Kernel]) -> None:
    """Stop guests that are still up, so that each result is of a fresh one."""
    for kernel in kernels:
        for name in kernel.ready.lab.guest_names():
            if guest := kernel.ready.provider.attach(name):
                await guest.down()


def _record(kernel: Kernel, turn: int) -> dict[str, JSON]:
    """As the run's own, but nothing is left out for being known, and nothing is compared."""
    own = {KNOWN, COMPARED_WITH, DECISION}
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
