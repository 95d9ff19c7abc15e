"""Drives a stored plan over guests until every test has its status or no guest is left to give one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.model import RunState
from kdevops.run.job import Job
from kdevops.run.lease import Lease


@dataclass(frozen=True, slots=True)
class Drained:
    """The end of a run: its state, and the last trouble of each guest that gave up."""

    state: RunState
    errors: tuple[InfrastructureError, ...] = ()


async def drive(job: Job, guests: Sequence[str], *, keep: bool) -> Drained:
    """Run all of `job`'s queue on these guests and finish the run in the store.

    Cancelled (or ended by an error that is no infrastructure trouble), it leaves the run interrupted, to be resumed, and
    takes down the guests it started. Raises UserError.
    """
    leases = [Lease(job, name, keep) for name in guests[: max(1, len(job.queue))]]
    try:
        async with asyncio.TaskGroup() as group:
            for lease in leases:
                group.create_task(lease.drain())
        state = job.store.finish(job.run)
    except BaseExceptionGroup as group_error:
        job.store.interrupt(job.run)
        raise _first(group_error) from group_error
    except BaseException:
        job.store.interrupt(job.run)
        raise
    finally:
        await asyncio.shield(_give_back(job, leases, keep=keep))
    return Drained(state, tuple(lease.last_error for lease in leases if lease.last_error))


async def _give_back(job: Job, leases: Sequence[Lease], *, keep: bool) -> None:
    ends = await asyncio.gather(*(lease.give_back() for lease in leases), return_exceptions=True)
    for lease, end in zip(leases, ends, strict=True):
        if isinstance(end, InfrastructureError):
            job.trouble(lease.name, end.message)
    job.servers_said("at the end of the run")
    try:
        await job.servers.give_back(keep=keep)
    except InfrastructureError as error:
        job.trouble("servers", error.message)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell of: what the user can mend before anything else."""
    flat: list[BaseException] = []
    for error in group.exceptions:
        flat += [_first(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, UserError)), flat[0])
