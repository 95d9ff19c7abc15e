"""Deadlines that do not count time in which this process or the machine was stopped.

When a controller was suspended, stopped or starved, every deadline has passed when it continues, although nothing hung;
likewise when the host stopped a guest. We detect both by checking the clock often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

LAG = 5.0
"""If two checks of the clock are more than this many seconds apart, this process was held up."""
POLL = 0.5
"""Seconds between two checks of the clock."""
MAX_HELD = 900.0
"""Seconds that a machine may be stopped at a stretch before we give up on it."""
_LAST_LOOK = 0.5
"""Least seconds to read output that arrived while this process was held up; work that has ended by then was in time."""

T = TypeVar("T")
Held = Callable[[], Awaitable[str]]


class OutOfTimeError(TimeoutError):
    """Raised by `within`; `held` is why the machine was not running, "" if it was."""

    def __init__(self, held: str = "") -> None:
        super().__init__(held)
        self.held = held


class Clock:
    """Counts seconds between ticks. Time in which this process was held up or the machine was stopped is `lost`.

    Of a gap of more than LAG seconds, POLL are counted, so that a deadline passes even if all gaps are long.
    """

    def __init__(self) -> None:
        self.counted = 0.0
        self._lost = 0.0
        self.held = ""
        """Why the machine was stopped at the last tick."""
        self.held_for = 0.0
        """Seconds at a stretch in which the machine was stopped, as seen by this process."""
        self._gap = 0.0
        self._last = now()

    def tick(self, held: str = "") -> float:
        """Count the time since the last tick; `held`: why the machine is stopped now. Returns the seconds counted so far."""
        seconds = max(0.0, now() - self._last)
        self._last += seconds
        self._gap = seconds
        seen = POLL if seconds > LAG else seconds
        if held or self.held:
            self.held_for = self.held_for + seen if held else 0.0
            self._lost += seconds
        else:
            self.counted += seen
            self._lost += seconds - seen
        self.held = held
        return self.counted

    @property
    def seconds(self) -> float:
        """Seconds counted until now, an estimate until the next tick."""
        since = max(0.0, now() - self._last)
        return self.counted + (0.0 if self.held else POLL if since > LAG else since)

    @property
    def lost(self) -> float:
        """Seconds until now in which this process was held up or the machine was stopped."""
        since = max(0.0, now() - self._last)
        return self._lost + (since if self.held else since - POLL if since > LAG else 0.0)

    @property
    def lagged(self) -> bool:
        """Whether this process was held up before the last tick."""
        return self._gap > LAG

    @property
    def last_look(self) -> float:
        """Extra seconds to wait after a deadline, to read what arrived while this process was held up."""
        return max(_LAST_LOOK, min(self._gap, LAG))

    @property
    def given_up(self) -> bool:
        """Whether the machine was stopped for so long that we give up on it."""
        return self.held_for > MAX_HELD


def now() -> float:
    """Seconds of a clock that also counts while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


async def within(work: Coroutine[Any, Any, T], seconds: float | None, *, held: Held | None = None) -> T:
    """The result of `work`, which is cancelled after this many counted seconds (None: no limit).

    `held` returns why the machine that it waits for is stopped. Pending output is read before giving up.
    Raises OutOfTimeError.
    """
    task = asyncio.ensure_future(work)
    clock = Clock()
    try:
        while seconds is not None:
            left = seconds - clock.counted
            if left <= 0 or clock.given_up:
                await asyncio.wait({task}, timeout=clock.last_look)
                if not task.done():
                    raise OutOfTimeError(clock.held)
                break
            if (await asyncio.wait({task}, timeout=min(left, POLL)))[0]:
                break
            clock.tick(await held() if held else "")
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if task.done() and not task.cancelled():
            task.exception()  # retrieve it, so that asyncio does not warn about one hidden by a cancellation
