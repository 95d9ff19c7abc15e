"""Runs a stored plan on guests until every test has a status or no guest is left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.boot_failure import BootFailure
from kdevops.results.model import RunState
from kdevops.run.drive.boot_failure import proven
from kdevops.run.drive.job import Job
from kdevops.run.drive.lease import MAX_BOOT_FAILURES, Lease


@dataclass(frozen=True, slots=True)
class Drained:
    """The end of a run: its state, and the last error of each guest that had one.

    `INTERRUPTED`: kdevops gave up on every guest, and tests are left. `boot_failure`: the kernel itself fails to boot,
    as proven by every boot of one guest.
    """

    state: RunState
    errors: tuple[InfrastructureError, ...] = ()
    boot_failure: BootFailure | None = None


async def drive(job: Job, guests: Sequence[str], *, persist: bool) -> Drained:
    """Run the queue of `job` on these guests and finish the run in the store.

    The run is left interrupted, so that it can be resumed, if kdevops gives up on every guest before all tests have run, if
    this is cancelled, or if an error other than infrastructure trouble ends it. Guests that it started are stopped. Raises
    UserError.
    """
    names = guests[: max(1, len(job.queue))]
    leases = [Lease(job, name, persist, stale=name in job.busy) for name in names]
    job.busy.begin(names)
    try:
        async with asyncio.TaskGroup() as group:
            for lease in leases:
                group.create_task(lease.drain())
        if len(job.queue):
            job.store.interrupt(job.run)
            state = RunState.INTERRUPTED
        else:
            for lease in leases:
                lease.tell_failed_boots()
            state = job.store.finish(job.run)
    except BaseExceptionGroup as group_error:
        job.store.interrupt(job.run)
        raise _first(group_error) from group_error
    except BaseException:
        job.store.interrupt(job.run)
        raise
    finally:
        job.busy.end(lease.name for lease in leases if not lease.stale)
        await asyncio.shield(_give_back(job, leases, persist=persist))
    errors = tuple(lease.last_error for lease in leases if lease.last_error)
    return Drained(state, errors, _boot_failure(job, leases) if state is RunState.INTERRUPTED else None)


def _boot_failure(job: Job, leases: Sequence[Lease]) -> BootFailure | None:
    """The kernel's failure to boot, if it is one. The consoles of guests that did not boot are kept in any case."""
    found: BootFailure | None = None
    for lease in leases:
        name = f"boot-failure/{lease.name}.console"
        lines = lease.failed_boots[-1].console if lease.failed_boots else []
        if lines:
            job.keep(name, lines)
        fault = proven(lease.failed_boots, times=MAX_BOOT_FAILURES)
        if fault and found is None:
            found = BootFailure(fault.title, lease.name, name if lines else "", fault.text)
    return found


async def _give_back(job: Job, leases: Sequence[Lease], *, persist: bool) -> None:
    ends = await asyncio.gather(*(lease.give_back() for lease in leases), return_exceptions=True)
    for lease, end in zip(leases, ends, strict=True):
        if isinstance(end, InfrastructureError):
            job.trouble(lease.name, end.message)
    job.servers_said("at the end of the run")
    try:
        await job.servers.give_back(persist=persist)
    except InfrastructureError as error:
        job.trouble("servers", error.message)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to raise: a UserError if there is one, else the first."""
    flat: list[BaseException] = []
    for error in group.exceptions:
        flat += [_first(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, UserError)), flat[0])
