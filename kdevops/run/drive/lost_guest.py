"""What became of a test under which the guest was lost: the facts are asked for here, and classified by `loss`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from kdevops.clock import within
from kdevops.errors import BrokenSshError, InfrastructureError, LostGuestError
from kdevops.guest import console
from kdevops.guest.console import Position
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, Status
from kdevops.run.drive.job import GRACE
from kdevops.run.drive.loss import Judgement, Loss, classify_loss
from kdevops.run.drive.reports import is_stall
from kdevops.triage.farewell import find_farewell
from kdevops.triage.oops import Oops, find_oops

_ASKING = 20.0
"""Seconds for whoever has a machine to say that it is still there."""
LAST_WORDS = 3.0
"""Seconds in which a machine whose connection broke may be seen to be gone."""
_STATUS = {Judgement.CRASH: Status.CRASH, Judgement.HANG: Status.HANG}


async def outcome_of_loss(
    guest: Guest,
    error: InfrastructureError,
    since: Position,
    seconds: float,
    *,
    factor: float,
    last: bool,
    lost: float = 0.0,
) -> Outcome:
    """How the test ended that ran when the guest was lost with `error`; its console is read from `since` on.

    `lost` are seconds of the test in which this process or the machine was held up. Raises `error` where nothing explains
    the loss, unless this is the `last` try: then the test is what they had in common. Raises InfrastructureError where the
    loss is certainly not the test's doing, in whichever try.
    """
    loss, oops = await _gather(guest, error, since, factor=factor, last=last, lost=lost)
    judgement, reason = classify_loss(loss)
    if judgement is Judgement.AGAIN:
        raise error
    if judgement is Judgement.TROUBLE:
        raise InfrastructureError(reason)
    return Outcome(_STATUS[judgement], seconds, reason, oops=oops.text if oops else "")


async def _gather(
    guest: Guest, error: InfrastructureError, since: Position, *, factor: float, last: bool, lost: float
) -> tuple[Loss, Oops | None]:
    """The facts of a loss, and what the kernel said of its trouble."""
    alive = await outlives(guest, LAST_WORDS)
    if why := await why_gone(guest):
        return Loss(gone=why), None
    presence = await _presence(guest, since, factor) if alive else _Presence()
    lines = console.read_since(guest.console, since)
    oops = find_oops(lines)
    loss = Loss(
        held=presence.held,
        broken=error.message if isinstance(error, BrokenSshError) else "",
        lost=lost,
        alive=presence.alive,
        answers=presence.answers,
        report=oops.title if oops and oops.gates else "",
        fatal=oops is not None and oops.fatal,
        stall=oops is not None and is_stall(oops),
        farewell=find_farewell(lines),
        last=last,
    )
    return loss, oops


@dataclass(frozen=True, slots=True)
class _Presence:
    """Whether the machine is there in the boot of the test, why it does not run, and whether it answers, as in `Loss`."""

    alive: bool = False
    held: str = ""
    answers: bool = False


async def _presence(guest: Guest, since: Position, factor: float) -> _Presence:
    """Ask a machine that is there. One that cannot answer is not asked: it does not run, or its kernel is dead."""
    if held := await guest.held():
        return _Presence(alive=True, held=held)
    if _is_dead(guest, since):
        return _Presence(alive=True)
    if await guest.restarted():
        return _Presence()
    if await guest.ssh.answers(timeout=GRACE * factor):
        return _Presence(alive=True, answers=True)
    return _Presence(alive=True, held=await guest.held())


def _is_dead(guest: Guest, since: Position) -> bool:
    oops = find_oops(console.read_since(guest.console, since))
    return oops is not None and oops.fatal


async def why_gone(guest: Guest) -> str:
    """Why the guest's machine is no more, "" where it is there or nobody says in time; its console is up to date then."""
    with contextlib.suppress(TimeoutError):
        return await within(guest.gone(), _ASKING)
    return ""


async def prove_silent(guest: Guest) -> None:
    """Raise LostGuestError when a guest that fell silent does not hang.

    Its machine is gone, or does not run at the moment, or is in another boot by now.
    """
    if why := await why_gone(guest) or await guest.held():
        raise LostGuestError(why)
    if await guest.restarted():
        raise LostGuestError(f"guest {guest.name} is in another boot")


async def outlives(guest: Guest, seconds: float) -> bool:
    """Whether the guest is still there in a moment: connections break before the machine is seen to be gone."""
    end = time.monotonic() + seconds
    while guest.alive() and time.monotonic() < end:  # noqa: ASYNC110 - nobody can tell us of a guest's death
        await asyncio.sleep(0.1)
    return guest.alive()
