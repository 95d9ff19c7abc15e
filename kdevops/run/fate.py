"""What became of a test under which the guest was lost: a crash, a hang, or trouble that is nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import time

from kdevops.errors import InfrastructureError, LostGuestError
from kdevops.guest import console
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, Status
from kdevops.run.job import GRACE, MAX_LOST
from kdevops.triage.farewell import find_farewell
from kdevops.triage.oops import find_oops

_ASKING = 20.0
"""Seconds for whoever has a machine to say that it is still there."""
LAST_WORDS = 3.0
"""Seconds in which a machine whose connection broke may be seen to be gone."""


async def fate(
    guest: Guest, error: InfrastructureError, offset: int, seconds: float, *, factor: float, last: bool
) -> Outcome:
    """How the test ended that ran when the guest was lost with `error`; its console is read from `offset` on.

    Raises `error` where nothing explains the loss, unless this is the `last` try: then the test is what they had in common.
    Raises InfrastructureError when the machine itself was taken away, in whichever try.
    """
    if why := await gone(guest):
        raise InfrastructureError(why)
    alive = await outlives(guest, LAST_WORDS)
    oops = find_oops(console.read_since(guest.console, offset))
    if alive and not (oops and oops.fatal) and await guest.restarted():
        alive = False
    lines = console.read_since(guest.console, offset)
    oops = find_oops(lines)
    if oops and oops.fatal:
        return Outcome(Status.CRASH, seconds, oops.title, oops=oops.text)
    if alive and not await guest.ssh.answers(timeout=GRACE * factor):
        return Outcome(Status.HANG, seconds, "the guest stopped answering", oops=oops.text if oops else "")
    if not last:
        raise error  # once may be the host's doing; a fresh guest will tell
    if alive:
        return Outcome(Status.HANG, seconds, f"the connection broke {MAX_LOST + 1} times in a row while it ran")
    farewell = find_farewell(lines)
    said = f"was ended from inside ({farewell})" if farewell else "ended without a word"
    return Outcome(Status.CRASH, seconds, f"the machine {said} {MAX_LOST + 1} times in a row")


async def gone(guest: Guest) -> str:
    """Why the guest's machine is no more, "" where it is there or nobody says in time; its console is up to date then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ASKING):
            return await guest.gone()
    return ""


async def prove_silent(guest: Guest) -> None:
    """Raise LostGuestError when a guest that fell silent does not hang: its machine is gone, or in another boot by now."""
    if why := await gone(guest):
        raise LostGuestError(why)
    if await guest.restarted():
        raise LostGuestError(f"guest {guest.name} is in another boot")


async def outlives(guest: Guest, seconds: float) -> bool:
    """Whether the guest is still there in a moment: connections break before the machine is seen to be gone."""
    end = time.monotonic() + seconds
    while guest.alive() and time.monotonic() < end:  # noqa: ASYNC110 - nobody can tell us of a guest's death
        await asyncio.sleep(0.1)
    return guest.alive()
