"""Decides on the failures of a run that nobody knows: runs these tests again, on both kernels in turn, until it is clear.

Without a baseline kernel they run again on the kernel under test only, against the counts of the baseline. Everything that
counts is in the store: a decision that was stopped anywhere goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil

from kdevops.errors import UserError
from kdevops.lab.verdict import Reruns
from kdevops.progress import Progress
from kdevops.results.decision.decide import Decided, Rule
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
from kdevops.run.judging import judge
from kdevops.run.lock import lab_lock
from kdevops.run.plan.known import KNOWN
from kdevops.run.plan.narrow import told
from kdevops.run.plan.record import COMPARED_WITH, as_asked, compared_with, lab_of
from kdevops.run.session import Ended, Ready, Watcher

FIRST_TURNS = 3
"""Runs on each kernel before the first look: what never fails, and now fails always, is clear after three."""
Limits = tuple[int | None, float | None]
"""Most single results, and most seconds; None for no limit of its own."""
MOST_TURNS = 8
"""Runs between two looks. The guests boot afresh after each look."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel on which tests run again: its run, and what that was made of."""

    side: Side
    run: Run
    ready: Ready


async def decide(run_id: int, given: Limits | None, dirs: Dirs, watcher: Watcher) -> Ended:
    """Decide on the failures of an ended run, or go on with that, within the budget; then judge the run.

    `given` limits the number of single results on both kernels together, and the seconds; what it does not limit, the lab
    does. The lab also gives the rule, fixed when this begins. Raises UserError if the run has not ended, or if a kernel or a
    suite has changed since.
    """
    with Store(dirs.state) as store, ExitStack() as held:
        run = store.run(run_id)
        _check(run)
        beside = compared_with(run)
        verdict = lab_of(run).verdict
        if _choose(store, run, Rule(verdict.alpha, verdict.smallest), beside=beside is not None):
            sides = [(Side.BASELINE, store.run(beside))] if beside is not None else []
            kernels = [
                await _kernel(side, each, dirs, watcher, held) for side, each in (*sides, (Side.NOW, store.run(run_id)))
            ]
            for each in store.deciding(run_id):
                if not each.ended:  # that decision was killed: what it has counts, the rest runs again
                    store.finish(each.id)
                    await _stop([kernel for kernel in kernels if kernel.ready.lab.name == each.lab])
            await _until_decided(run_id, kernels, _within(given, verdict.rerun or Reruns()), dirs, store, watcher)
        else:
            watcher.handle(Note(f"run {run_id} has no failure that is not known: there is nothing to decide"))
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


def _choose(store: Store, run: Run, rule: Rule, *, beside: bool) -> bool:
    """Fix which tests are to be decided, once for all, for it must not depend on what reruns give. Whether there are any."""
    if DECISION not in run.record:
        tests = selected(judge(store, run))
        if not tests:
            return False
        store.update_record(run.id, decision_record(tests, rule, beside=beside))
    return True


async def _kernel(side: Side, run: Run, dirs: Dirs, watcher: Watcher, held: ExitStack) -> Kernel:
    lab = lab_of(run)
    held.enter_context(lab_lock(dirs.lab(lab.name), lab.name, "decide"))
    return Kernel(side, run, await session.rebuild(run, lab, dirs, watcher))


async def _until_decided(
    run_id: int, kernels: Sequence[Kernel], budget: Reruns, dirs: Dirs, store: Store, watcher: Watcher
) -> None:
    """Run turns of all tests that are open until none is, or the budget is used up, or runs give nothing more."""
    began = time.monotonic()
    quiet = _Quiet(watcher)
    run = store.run(run_id)
    tests = decided(store, run)
    while left := still_open(tests):
        cost = len(left) * len(kernels)
        room = (budget.count - spent(store, run)) // cost
        if room < 1 or time.monotonic() - began >= budget.time:
            watcher.handle(Note(f"the budget for reruns is used up; still open: {told(left)}"))
            return
        turns = min(_turns(tests[test] for test in left), room)
        first = 1 + max((each.record[TURN] for each in store.deciding(run_id)), default=0)
        for kernel in kernels:
            up_before = _up(kernel)
            rows = [row for row in store.plan(kernel.run.id) if row.id in set(left)]
            try:
                for turn in range(turns):
                    again = store.create_run(kernel.ready.lab.name, rows, _record(kernel, first + turn), decides=run_id)
                    drained = await session.run_rest(again, kernel.ready, dirs, store, quiet, persist=turn < turns - 1)
                    if drained.state is RunState.INTERRUPTED:
                        store.finish(again)
                        trouble = drained.errors[-1].message if drained.errors else "no guest is left"
                        watcher.handle(Note(f"cannot go on deciding: {trouble}"))
                        return
            finally:
                await asyncio.shield(_stop([kernel], keep=up_before))
        before, tests = tests, decided(store, run)
        for test in left:
            watcher.handle(Note(f"{test}: {in_words(tests[test])}"))
        if all(before[test].tally == tests[test].tally for test in left):
            watcher.handle(Note(f"running them again gives no results: {told(left)}"))
            return


def _up(kernel: Kernel) -> frozenset[str]:
    return frozenset(name for name in kernel.ready.lab.guest_names() if kernel.ready.provider.attach(name))


async def _stop(kernels: Iterable[Kernel], *, keep: Collection[str] = ()) -> None:
    """Stop the guests, which outlived each turn, but those that somebody else has kept."""
    for kernel in kernels:
        for name in _up(kernel) - set(keep):
            if guest := kernel.ready.provider.attach(name):
                await guest.down()


def _turns(tests: Iterable[Decided]) -> int:
    """Half of what the test that is nearest to a decision is expected to need, so that few runs are wasted."""
    nearest = min((each.to_go or MOST_TURNS for each in tests if each.runs), default=0)
    return min(max(ceil(nearest / 2), 1), MOST_TURNS) if nearest else FIRST_TURNS


def _record(kernel: Kernel, turn: int) -> dict[str, JSON]:
    """As the run's own, but nothing is left out for being known, and nothing is compared."""
    own = {KNOWN, COMPARED_WITH, DECISION}
    return {name: value for name, value in as_asked(kernel.run).items() if name not in own} | {
        SIDE: kernel.side,
        TURN: turn,
    }


class _Quiet:
    """Shows that tests run again, without a line for each result."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.confirm = watcher.confirm

    def handle(self, event: RunEvent | Progress) -> None:
        if isinstance(event, Progress):
            self._watcher.handle(event)

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome] | None = None) -> None:
        pass
