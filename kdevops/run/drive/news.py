"""Processes a harness's test events in order; a failure counts only after the servers were found to serve."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.guest import console
from kdevops.guest.console import Position
from kdevops.providers.base import Guest
from kdevops.results.model import Status
from kdevops.run.drive.job import Job
from kdevops.run.drive.ledger import Ledger
from kdevops.run.drive.pace import Pace
from kdevops.suites.base import ParsedEnd, ParsedStart


@dataclass(frozen=True, slots=True)
class _Heard:
    """An event of the harness. `at`: its time by the guest's pace; `console_end`: the console's end at that time."""

    event: ParsedStart | ParsedEnd
    at: float
    console_end: Position


class News:
    """Enters believed events of a harness into the ledger. `generation`: that of the servers when the harness started."""

    def __init__(self, job: Job, guest: Guest, ledger: Ledger, pace: Pace, generation: int) -> None:
        self._servers, self._guest, self._ledger, self._pace = job.servers, guest, ledger, pace
        self._generation = generation
        self._heard: deque[_Heard] = deque()
        self._ill = ""

    def unserved(self) -> str:
        """Why the tests have lost their server, in one line; empty if they have not."""
        return self._ill or self._servers.lost(self._generation)

    async def ask(self) -> None:
        """Check whether the servers serve, unless one is known not to."""
        self._ill = self._ill or await self._servers.ill()

    def hear(self, events: Sequence[ParsedStart | ParsedEnd]) -> None:
        """Take events up to a failure that may be the server's; the rest waits for `prove`."""
        now, end = self._pace.seconds, console.end_position(self._guest.console)
        self._heard.extend(_Heard(event, now, end) for event in events)
        while self._heard and self._take(self._heard[0]):
            self._heard.popleft()

    async def prove(self) -> None:
        """Check the servers before each pending failure is believed; once one does not serve, nothing more is."""
        while self._heard and not self.unserved():
            self._ill = await self._servers.ill()
            if not self.unserved():
                self._finish(self._heard.popleft())
                self.hear(())

    def _take(self, heard: _Heard) -> bool:
        """Take one event; False if it must not be believed, or not yet."""
        self._ledger.begin(heard.event.test, heard.at)
        if isinstance(heard.event, ParsedEnd):
            # Without a server, an outcome is not a result.
            if self.unserved() or (heard.event.outcome.status is Status.FAIL and self._servers.wanted):
                return False
            self._finish(heard)
        return True

    def _finish(self, heard: _Heard) -> None:
        assert isinstance(heard.event, ParsedEnd)
        self._ledger.finish(heard.event.test, heard.event.outcome, heard.event.text, heard.console_end)
