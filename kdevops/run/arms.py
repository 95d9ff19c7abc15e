"""A lab with its variants (arms): the same commands for one kernel and for two.

The variants of a lab with `compare` (baseline and dev) are separate labs. This module combines them: the guests of both
are started and stopped together, and the run of the dev kernel is compared with that of the baseline kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from kdevops.errors import KdevopsError, UserError
from kdevops.kernel.artifact import Artifact
from kdevops.lab.arms import arms
from kdevops.lab.load import LoadedLab
from kdevops.lab.model import DEV, Lab
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.providers.base import GuestStatus
from kdevops.results.baselines.baseline import series_of
from kdevops.results.events import Note
from kdevops.results.store import PlannedRow, Store
from kdevops.run import manual, session
from kdevops.run.build import build_kernel, first_error
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import kind_of
from kdevops.run.judging import concluded
from kdevops.run.live_labs import forget, live_labs, remember
from kdevops.run.lock import lab_lock
from kdevops.run.new_run import new_run
from kdevops.run.plan.absent import arms_records
from kdevops.run.plan.narrow import told
from kdevops.run.plan.record import COMPARED_WITH, beside_of, compared_with
from kdevops.run.plan.reusable_run import reusable_run
from kdevops.run.session import Ended, Prepared, Watcher
from kdevops.suites.registry import suites_of


async def start(
    loaded: LoadedLab,
    dirs: Dirs,
    watcher: Watcher,
    *,
    only: Sequence[str] = (),
    failures_of: int | None = None,
    persist: bool = False,
    fresh_baseline: bool = False,
) -> Ended:
    """As `session.start`; with `compare`, build both kernels, then run the tests on each, the baseline first.

    Returns the end of the run under test. A complete equivalent run of the baseline kernel in the store is reused unless
    `fresh_baseline`. Both plans are stored before the first test, so `resume` can continue either run.
    """
    if loaded.lab.compare is None:
        return await session.start(loaded, dirs, watcher, only=only, failures_of=failures_of, persist=persist)
    before, under_test = arms(loaded.lab)
    with _held((before, under_test), dirs, "run", loaded.path), Store(dirs.state) as store:
        watcher.handle(Note(f"lab {before.name}: the baseline kernel"))
        first = await session.prepare(replace(loaded, lab=before), dirs, store, watcher)
        watcher.handle(Note(f"lab {under_test.name}: the kernel under test"))
        second = await session.prepare(
            replace(loaded, lab=under_test), dirs, store, watcher, only=only, failures_of=failures_of
        )
        _tell_apart(first, second, before, under_test, watcher)
        rows = _common(first.rows, second.rows, watcher)
        here = {row.id for row in second.rows}
        records = arms_records(
            first.record,
            second.record,
            (row.id for row in first.rows if row.id not in here),
            series_of(first.ready.built.artifact.release),
        )
        old = None if fresh_baseline else reusable_run(store, before, rows, first.record)
        with store.together():
            beside = old.id if old else new_run(store, dirs, before.name, rows, records[0])
            run_id = new_run(store, dirs, under_test.name, second.rows, {**records[1], COMPARED_WITH: beside})
        if old:
            watcher.handle(
                Note(
                    f"run {old.id} of {old.created[:16].replace('T', ' ')} UTC ran these tests on the same baseline kernel"
                    " and is used for the comparison; --fresh-baseline runs them again"
                )
            )
        else:
            await session.carry_out(beside, first.ready, dirs, store, watcher, persist=persist)
        return await session.carry_out(run_id, second.ready, dirs, store, watcher, persist=persist)


async def resume(run_id: int, dirs: Dirs, watcher: Watcher, *, persist: bool = False) -> Ended:
    """As `session.resume`; for two variants, continue both unfinished runs, the baseline first.

    Returns the end of the run under test, even if only its baseline run was unfinished.
    """
    with Store(dirs.state) as store:
        *others, last = _unfinished(store, run_id)
        done = bool(others) and store.run(last).ended is not None
    for each in others:
        await session.resume(each, dirs, watcher, persist=persist)
    if not done:
        return await session.resume(last, dirs, watcher, persist=persist)
    with Store(dirs.state) as store:
        return Ended(*concluded(store, last))


async def up(
    lab: Lab,
    dirs: Dirs,
    report: Report,
    *,
    lab_file: Path | None = None,
    plays: Sequence[str] = (),
    confirm: Confirm = ask_nobody,
) -> tuple[GuestStatus, ...]:
    """Start the guests of all variants in parallel, to keep running; then run `plays` on them. Raises KdevopsError.

    If a variant's kind handles one lab at a time, the variants are started one after the other.
    """
    manual.check_plays(plays)  # first, because machines in a cloud cost money
    labs = arms(lab)
    at_once = asyncio.Semaphore(1 if any(kind_of(each).one_lab_at_a_time for each in labs) else len(labs))
    with _held(labs, dirs, "up", lab_file):
        made = [(each, *await manual.prepare(each, dirs, report, confirm)) for each in labs]

        async def bring_up(number: int) -> tuple[GuestStatus, ...]:
            each, built, provider = made[number]
            async with at_once:
                return await manual.bring_up(each, dirs, built, provider, report, lab_file=lab_file, plays=plays)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(bring_up(number)) for number in range(len(made))]
        except* KdevopsError as errors:
            raise first_error(errors) from None
        return tuple(guest for task in tasks for guest in task.result())


async def down(lab: Lab, dirs: Dirs, report: Report = silent) -> tuple[GuestStatus, ...]:
    """Stop the guests of all variants. Raises the first KdevopsError after trying all."""
    guests: list[GuestStatus] = []
    errors: list[KdevopsError] = []
    for each in live_labs(lab, dirs):
        try:
            guests += await manual.down(each, dirs, report)
        except KdevopsError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    forget(lab, dirs)
    return tuple(guests)


async def status(lab: Lab, dirs: Dirs) -> tuple[GuestStatus, ...]:
    """The status of the guests of all variants."""
    return tuple([guest for each in live_labs(lab, dirs) for guest in await manual.status(each, dirs)])


async def build_kernels(lab: Lab, dirs: Dirs, report: Report) -> list[Artifact]:
    """Build the kernels of all variants with the options their suites need; the baseline's first."""
    return [await build_kernel(each, suites_of(each), dirs, report) for each in arms(lab)]


@contextmanager
def _held(labs: Sequence[Lab], dirs: Dirs, verb: str, lab_file: Path | None) -> Iterator[None]:
    with ExitStack() as held:
        for lab in labs:
            held.enter_context(lab_lock(dirs.lab(lab.name), lab.name, verb))
        remember(labs, dirs, lab_file)
        yield


def _common(first: Sequence[PlannedRow], second: Sequence[PlannedRow], watcher: Watcher) -> list[PlannedRow]:
    """The tests for the baseline kernel: those planned for the kernel under test that the baseline kernel has too."""
    wanted = {row.id for row in second}
    rows = [row for row in first if row.id in wanted]
    if not rows:
        raise UserError(
            f"the baseline kernel has none of the selected tests: {told(wanted)}",
            hint="select tests that both kernels have, or remove `compare` from the lab",
        )
    if absent := wanted - {row.id for row in rows}:
        watcher.handle(Note(f"only with the kernel under test: {told(absent)}"))
    return rows


def _tell_apart(first: Prepared, second: Prepared, before: Lab, under_test: Lab, watcher: Watcher) -> None:
    same = first.ready.built.artifact.key == second.ready.built.artifact.key
    if same and before.kernel.cmdline == under_test.kernel.cmdline:
        watcher.handle(Note("both variants run the same kernel with the same parameters: any difference is chance"))


def _unfinished(store: Store, run_id: int) -> tuple[int, ...]:
    """The runs to resume for this one: itself, after its baseline run or before the runs that wait for it.

    The last one may have ended already if its baseline run has not.
    """
    run = store.run(run_id)
    beside = beside_of(store, run, to_be="continued")
    if beside and not beside.ended:
        return beside.id, run_id
    if beside or run.ended:
        return (run_id,)  # `session.resume` refuses a run that has ended
    waiting = [each for each in store.runs(run.lab + DEV) if compared_with(each) == run_id and not each.ended]
    return (run_id, *(each.id for each in reversed(waiting)))
