"""A run from lab to verdict: builds what is missing, starts guests, runs the remaining tests and judges the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from kdevops.errors import UserError
from kdevops.lab.load import LoadedLab
from kdevops.lab.model import Lab
from kdevops.progress import Progress
from kdevops.providers.base import Provider
from kdevops.results.baselines import allowed_reports
from kdevops.results.events import GuestChanged, Note, RunEvent
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.results.verdict import RunVerdict
from kdevops.run.build import build
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.drive.boot_failure import booted_here, conclude, note_booted
from kdevops.run.drive.busy import Busy
from kdevops.run.drive.job import Job
from kdevops.run.drive.runner import Drained, drive
from kdevops.run.drive.work import queue_of
from kdevops.run.evidence import keep_evidence
from kdevops.run.guests.kinds import kind_of
from kdevops.run.judging import concluded
from kdevops.run.live_labs import remember, remember_again
from kdevops.run.lock import lab_lock
from kdevops.run.manual import servers_for, write_access
from kdevops.run.new_run import new_run
from kdevops.run.plan.absent import asked_record
from kdevops.run.plan.allowed_skips import unmatched
from kdevops.run.plan.known import leave_out
from kdevops.run.plan.narrow import among, gone_wrong, narrowed, told
from kdevops.run.plan.plan import as_planned, plan, planned_of
from kdevops.run.plan.record import (
    as_asked,
    beside_of,
    check_same,
    facts,
    lab_of,
    record_of,
    trouble_record,
)


class Watcher(Protocol):
    """Observes a run."""

    def handle(self, event: RunEvent | Progress) -> None:
        """Take an event."""

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome] | None = None) -> None:
        """Take the plan, and the outcomes so far."""

    def confirm(self, lines: Sequence[str]) -> bool:
        """Return whether to go on; see `progress.Confirm`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, or was left interrupted because kdevops gave up on all its guests."""

    run: Run
    verdict: RunVerdict


@dataclass(frozen=True, slots=True)
class Ready:
    """A lab of which everything is built, with the provider of its guests."""

    lab: Lab
    built: Built
    provider: Provider


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready to start: what it runs on, its plan and its record."""

    ready: Ready
    rows: list[PlannedRow]
    record: dict[str, JSON]


async def start(
    loaded: LoadedLab,
    dirs: Dirs,
    watcher: Watcher,
    *,
    only: Sequence[str] = (),
    failures_of: int | None = None,
    persist: bool = False,
) -> Ended:
    """Prepare, plan, run and judge.

    `only` narrows the plan to tests whose `suite/profile/name`, or the end of it, matches a glob; `failures_of` to those
    that failed in an earlier run. Raises KdevopsError if the run cannot start.
    """
    lab = loaded.lab
    with lab_lock(dirs.lab(lab.name), lab.name, "run"), Store(dirs.state) as store:
        remember((lab,), dirs, loaded.path)
        prepared = await prepare(loaded, dirs, store, watcher, only=only, failures_of=failures_of)
        run_id = new_run(store, dirs, lab.name, prepared.rows, prepared.record)
        return await carry_out(run_id, prepared.ready, dirs, store, watcher, persist=persist)


async def prepare(
    loaded: LoadedLab,
    dirs: Dirs,
    store: Store,
    watcher: Watcher,
    *,
    only: Sequence[str] = (),
    failures_of: int | None = None,
) -> Prepared:
    """The part of `start` before the run is stored. The caller holds the lab's lock."""
    lab = loaded.lab
    allowed_reports.load(loaded.baseline)  # report its mistakes before anything is built
    failed = gone_wrong(store, failures_of) if failures_of is not None else None
    await kind_of(lab).preflight(lab, dirs, watcher.handle, watcher.confirm)
    built = await build(lab.model_copy(update={"baseline": loaded.baseline}), dirs, watcher.handle)
    provider = await kind_of(lab).provider_for(lab, dirs, built, watcher.handle, watcher.confirm)
    every = plan(built, store, lab, loaded.baseline, provider.slowdown)
    for rule in unmatched(lab, [row.id for row in every]):
        watcher.handle(Note(f"verdict.allow_skips: no planned test matches {rule.test}"))
    rows = narrowed(every, only)
    record = record_of(loaded, built)
    absent: frozenset[TestId] = frozenset()
    if failed is not None:
        rows, absent = among(rows, failed)
        record["failures_of"] = failures_of
        if absent:
            watcher.handle(Note(f"went wrong in run {failures_of}, but not planned now: {told(absent)}"))
    record |= asked_record(built.suites, only, failures_of, absent)
    return Prepared(Ready(lab, built, provider), rows, record)


async def resume(run_id: int, dirs: Dirs, watcher: Watcher, *, persist: bool = False) -> Ended:
    """Continue an interrupted run: run the tests that are not finished.

    Raises UserError if the run has ended, or if its kernel or suites have changed.
    """
    with Store(dirs.state) as store:
        run = store.run(run_id)
        lab = lab_of(run)
        with lab_lock(dirs.lab(lab.name), lab.name, "resume"):
            _check_open(run)
            ready = await rebuild(run, lab, dirs, watcher)
            return await carry_out(run_id, ready, dirs, store, watcher, persist=persist)


async def end(run_id: int, dirs: Dirs) -> Ended:
    """End an interrupted run; tests without a result stay missing. Raises UserError if it has ended already."""
    with Store(dirs.state) as store:
        run = store.run(run_id)
        with lab_lock(dirs.lab(run.lab), run.lab, "resume"):
            _check_open(run)
            await keep_evidence(store, run_id, anew=True)  # it has that of its start
            store.finish(run_id)
            return Ended(*concluded(store, run_id))


def _check_open(run: Run) -> None:
    if run.decides is not None:
        raise UserError(
            f"run {run.id} helps to decide run {run.decides}", hint=f"go on with: kdevops decide {run.decides}"
        )
    if run.ended:
        raise UserError(f"run {run.id} has ended ({run.state})", hint=f"repeat it with: kdevops rerun {run.id}")


async def rerun(run_id: int, dirs: Dirs, watcher: Watcher, *, persist: bool = False) -> Ended:
    """Repeat an earlier run with its lab. Raises UserError if its kernel or suites have changed.

    Raises InfrastructureError if the store has lost the run of the baseline kernel with which it was compared.
    """
    with Store(dirs.state) as store:
        run = store.run(run_id)
        beside_of(store, run, to_be="repeated")
        lab = lab_of(run)
        with lab_lock(dirs.lab(lab.name), lab.name, "rerun"):
            ready = await rebuild(run, lab, dirs, watcher)
            record = {**as_asked(run), **facts(lab, ready.built), "rerun_of": run_id}
            before = {row.id for row in store.plan(run_id)}
            rows = plan(ready.built, store, lab, Path(run.record["baseline"]), ready.provider.slowdown)
            new = new_run(store, dirs, lab.name, [row for row in rows if row.id in before], record)
            return await carry_out(new, ready, dirs, store, watcher, persist=persist)


async def rebuild(run: Run, lab: Lab, dirs: Dirs, watcher: Watcher) -> Ready:
    """What a stored run was made of, built anew where it is not cached. The caller holds the lab's lock.

    Raises UserError if its kernel or suites have changed, or if its list of allowed kernel reports has a mistake.
    """
    allowed_reports.load(Path(run.record["baseline"]))
    remember_again(lab, dirs, Path(run.record["lab_file"]))
    await kind_of(lab).preflight(lab, dirs, watcher.handle, watcher.confirm)
    with_lists = lab.model_copy(update={"baseline": Path(run.record["baseline"])})
    built = await build(with_lists, dirs, watcher.handle)
    check_same(run, built)
    provider = await kind_of(lab).provider_for(lab, dirs, built, watcher.handle, watcher.confirm)
    return Ready(lab, built, provider)


async def carry_out(run_id: int, ready: Ready, dirs: Dirs, store: Store, watcher: Watcher, *, persist: bool) -> Ended:
    """As `run_rest`, and judge the run."""
    # If kdevops is killed right after the end, the run is judged by this.
    await keep_evidence(store, run_id, anew=True)
    await run_rest(run_id, ready, dirs, store, watcher, persist=persist)
    await keep_evidence(store, run_id, anew=True)
    return Ended(*concluded(store, run_id))


async def run_rest(run_id: int, ready: Ready, dirs: Dirs, store: Store, watcher: Watcher, *, persist: bool) -> Drained:
    """Run the remaining tests of a stored run and finish it. The caller holds the lab's lock."""
    lab, built, provider = ready.lab, ready.built, ready.provider
    boot_suites = {suite.name: suite for suite in built.boot_suites}
    run = store.run(run_id)
    lab_file = Path(run.record["lab_file"])
    leave_out(store, run)
    rows, done = store.plan(run_id), store.outcomes(run_id)
    watcher.plan(rows, done)
    left = [row for row in rows if row.id not in done]

    names = lab.guest_names()

    def tell(event: RunEvent) -> None:
        if isinstance(event, GuestChanged) and event.state == "ready":
            write_access(lab, dirs, provider, built, lab_file)
            if event.guest in names:
                note_booted(store, run_id)
        watcher.handle(event)

    known = planned_of(built)
    chunk_suites = {suite.name: suite for suite in built.chunk_suites}
    last = {row.id for row in left if known[row.id].known}
    queue = queue_of(left, min(len(names), len(left)), boot_suites=boot_suites, chunk_suites=chunk_suites, last=last)
    job = Job(
        run=run_id,
        directory=dirs.run(run_id),
        provider=provider,
        store=store,
        queue=queue,
        tests={row.id: as_planned(known[row.id], row) for row in left},
        guest_suites={suite.name: suite for suite in built.guest_suites},
        boot_suites=boot_suites,
        chunk_suites=chunk_suites,
        emit=tell,
        quiet_cmdline=built.quiet_cmdline,
        guest_setup=built.guest_setup,
        servers=servers_for(lab, dirs, provider, built, watcher.handle, lab_file, tell=tell, persist=persist),
        busy=Busy(dirs.lab(lab.name)),
    )
    accel = provider.accel
    if run.decides is None:
        watcher.handle(Note(f"run {run_id}: {len(left)} tests; acceleration {accel.kind}: {accel.why}"))
    if flying := store.in_flight(run_id):
        watcher.handle(Note(f"started when the run was interrupted, and start again: {told(flying)}"))
    how: dict[str, JSON] = {"acceleration": accel.kind, "guests": provider.command_lines()}
    store.update_record(run_id, {**how, **trouble_record(None)})
    drained = await drive(job, names, persist=persist)
    trouble = drained.errors[-1] if drained.errors else None
    store.update_record(run_id, {"guests": provider.command_lines(), **trouble_record(trouble)})
    if drained.boot_failure and (booted := booted_here(store, store.run(run_id))) is not None:
        conclude(store, run_id, replace(drained.boot_failure, booted=booted))
    return drained
