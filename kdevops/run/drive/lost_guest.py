"""The outcome of a test whose guest was lost: gathers the facts, which `loss` classifies."""

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
"""Seconds for the provider to say whether a machine still exists."""
LAST_WORDS = 3.0
"""Seconds to wait for a machine whose connection broke to be seen as gone."""
_STATUS = {Judgement.CRASH: Status.CRASH, Judgement.HANG: Status.HANG}


async def outcome_of_loss(
    guest: Guest,
    error: InfrastructureError,
    since: Position,
    seconds: float,
    *,
    slowdown: float,
    last: bool,
    lost: float = 0.0,
) -> Outcome:
    """The outcome of the test that ran when the guest was lost with `error`; its console is read from `since` on.

    `lost`: seconds of the test in which this process or the machine was held up. Raises `error` if nothing explains the
    loss, unless this is the `last` try: then the test is what all tries have in common. Raises InfrastructureError in any
    try if the test certainly did not cause the loss.
    """
    loss, oops = await _gather(guest, error, since, slowdown=slowdown, last=last, lost=lost)
    judgement, reason = classify_loss(loss)
    if judgement is Judgement.AGAIN:
        raise error
    if judgement is Judgement.TROUBLE:
        raise InfrastructureError(reason)
    return Outcome(_STATUS[judgement], seconds, reason, oops=oops.text if oops else "")


async def _gather(
    guest: Guest, error: InfrastructureError, since: Position, *, slowdown: float, last: bool, lost: float
) -> tuple[Loss, Oops | None]:
    """The facts of a loss, and the kernel's report."""
    alive = await outlives(guest, LAST_WORDS)
    if why := await why_gone(guest):
        return Loss(gone=why), None
    presence = await _presence(guest, since, slowdown) if alive else _Presence()
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
    """The fields of the same names in `Loss`."""

    alive: bool = False
    held: str = ""
    answers: bool = False


async def _presence(guest: Guest, since: Position, slowdown: float) -> _Presence:
    """Check an existing machine. One that is held or whose kernel is dead is not contacted."""
    if held := await guest.held():
        return _Presence(alive=True, held=held)
    if _is_dead(guest, since):
        return _Presence(alive=True)
    if await guest.restarted():
        return _Presence()
    if await guest.ssh.answers(timeout=GRACE * slowdown):
        return _Presence(alive=True, answers=True)
    return _Presence(alive=True, held=await guest.held())


def _is_dead(guest: Guest, since: Position) -> bool:
    oops = find_oops(console.read_since(guest.console, since))
    return oops is not None and oops.fatal


async def why_gone(guest: Guest) -> str:
    """Why the guest's machine is gone; "" if it exists or there is no answer in time. Brings its console up to date."""
    with contextlib.suppress(TimeoutError):
        return await within(guest.gone(), _ASKING)
    return ""


async def prove_silent(guest: Guest) -> None:
    """Raise LostGuestError if a silent guest is not hung.

    Its machine is gone, does not run at the moment, or has rebooted.
    """
    if why := await why_gone(guest) or await guest.held():
        raise LostGuestError(why)
    if await guest.restarted():
        raise LostGuestError(f"guest {guest.name} has rebooted")


async def outlives(guest: Guest, seconds: float) -> bool:
    """Whether the guest is still alive after `seconds`: connections break before the machine is seen as gone."""
    end = time.monotonic() + seconds
    while guest.alive() and time.monotonic() < end:  # noqa: ASYNC110 - a guest's death triggers no event
        await asyncio.sleep(0.1)
    return guest.alive()
