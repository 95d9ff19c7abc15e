"""The time that a guest's tests have really had."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from kdevops.clock import POLL, Clock
from kdevops.errors import InfrastructureError, LostGuestError
from kdevops.providers.base import Guest
from kdevops.run.drive.background import Background

_TOLD = 1.0
"""Shorter holds, in seconds, are not reported."""


class Pace(Clock, Background):
    """The clock for tests in one guest; a context manager in which it ticks by itself.

    Whatever holds up the tests is reported through `trouble`; `why` is the last cause.
    """

    def __init__(self, guest: Guest, trouble: Callable[[str], None]) -> None:
        super().__init__()
        self.why = ""
        self._guest, self._trouble = guest, trouble
        self._told = 0.0

    async def __aenter__(self) -> Self:
        self.tick()
        return await super().__aenter__()

    def look(self) -> float:
        """Seconds counted so far. Raises LostGuestError if the machine has been held for too long.

        Also raises the error that stopped the ticking, because without ticks no deadline would ever pass.
        """
        if self._task and self._task.done():
            self._task.result()
        if self.given_up:
            raise LostGuestError(f"guest {self._guest.name} was held for {self.held_for:.0f} s: {self.held}")
        return self.seconds

    async def see(self) -> None:
        """Check whether the machine runs, and count the time."""
        held = ""
        with contextlib.suppress(InfrastructureError):  # a failed query says nothing about the machine
            held = await self._guest.held()
        if held and not self.held:
            self._trouble(f"the machine does not run: {held}")
        self.tick(held)
        if held:
            self.why = held
        elif self.lagged:
            self.why = "kdevops itself was stopped or starved"
        if not held and self.lost >= self._told + _TOLD:
            self._trouble(f"{self.lost - self._told:.0f} s do not count: {self.why}")
            self._told = self.lost

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            await self.see()
