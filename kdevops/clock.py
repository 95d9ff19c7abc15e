"""Deadlines that count only time in which there was a chance to meet them.

A controller that was suspended, stopped or starved finds every deadline passed when it goes on, though nobody hung; and so
does one whose guest was stopped by the host. Both are noticed by looking at the clock often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

LAG = 5.0
"""Seconds between two looks at the clock after which this process counts as having been held up in between."""
POLL = 0.5
"""Seconds between two looks at the clock."""
MAX_HELD = 900.0
"""Seconds that a machine may be held at a stretch before nobody waits for it any longer."""
_LAST_LOOK = 0.5
"""Seconds, at least, to read output that arrived while this process was held up; work that has ended by then was in time."""

T = TypeVar("T")
Held = Callable[[], Awaitable[str]]


class OutOfTimeError(TimeoutError):
    """Raised by `within`; `held` is why the machine that was waited for did not run, "" where it did."""

    def __init__(self, held: str = "") -> None:
        super().__init__(held)
        self.held = held


class Clock:
    """Counts seconds, from one `tick` to the next. Time in which this process was held up or the machine did not run is `lost`.

    Of a gap of more than LAG seconds, POLL are counted; so a deadline comes also where all gaps are long.
    """

    def __init__(self) -> None:
        self.counted = 0.0
        self._lost = 0.0
        self.held = ""
        """Why the machine does not run, at the last tick."""
        self.held_for = 0.0
        """Seconds at a stretch in which the machine did not run and this process could see it."""
        self._gap = 0.0
        self._last = now()

    def tick(self, held: str = "") -> float:
        """Count the time since the last tick; `held` is why the machine does not run now. Seconds counted so far."""
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
        """Seconds counted up to this moment, as far as can be told before the next tick."""
        since = max(0.0, now() - self._last)
        return self.counted + (0.0 if self.held else POLL if since > LAG else since)

    @property
    def lost(self) -> float:
        """Seconds up to this moment in which this process was held up or the machine did not run."""
        since = max(0.0, now() - self._last)
        return self._lost + (since if self.held else since - POLL if since > LAG else 0.0)

    @property
    def lagged(self) -> bool:
        """Whether this process was held up before the last tick."""
        return self._gap > LAG

    @property
    def last_look(self) -> float:
        """Seconds to wait once more when a deadline has passed: what came while this process did not look is read first."""
        return max(_LAST_LOOK, min(self._gap, LAG))

    @property
    def given_up(self) -> bool:
        """Whether the machine has been held for so long that it is not waited for any longer."""
        return self.held_for > MAX_HELD


def now() -> float:
    """Seconds of the clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


async def within(work: Coroutine[Any, Any, T], seconds: float | None, *, held: Held | None = None) -> T:
    """The result of `work`, which may take so many counted seconds; None: any number. It is cancelled when they are over.

    `held` says why the machine that it waits for does not run. What can be read by then is read before time is called.
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
            task.exception()  # asked for, so that nobody complains of one that a cancellation overtook
