"""Calls that come at nearly the same time are made one: what a tool does for many guests at once costs it less."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

_PATIENCE = 0.2
"""Seconds to wait for others who want the same; guests of a run all begin within a few milliseconds."""


@dataclass
class _Batch:
    names: list[str] = field(default_factory=list)
    task: asyncio.Task[Mapping[str, Exception] | None] | None = None
    waiting: int = 0


@dataclass
class Together:
    """`work` is called with all names that were asked for since its last call, and never twice at a time.

    It gives back what went wrong with each of them that it failed for; what it raises, it failed for all.
    """

    work: Callable[[tuple[str, ...]], Awaitable[Mapping[str, Exception] | None]]
    patience: float = _PATIENCE
    _open: _Batch | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, name: str) -> None:
        """Have it done for `name`. Raises what went wrong with this one, or with everybody who was in the same call.

        The work ends early only when nobody waits for it any more.
        """
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
            batch.task = asyncio.create_task(self._do(batch))
        batch.names.append(name)
        batch.waiting += 1
        assert batch.task
        try:
            failed = await asyncio.shield(batch.task)
        except asyncio.CancelledError:
            if batch.waiting == 1:
                self._close(batch)  # who comes now would wait for what is cancelled
                batch.task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await batch.task
            elif self._open is batch:
                batch.names.remove(name)  # for the others it is not begun yet, and this one nobody wants any more
            raise
        finally:
            batch.waiting -= 1
        if failed and name in failed:
            raise failed[name]

    async def _do(self, batch: _Batch) -> Mapping[str, Exception] | None:
        await asyncio.sleep(self.patience)
        async with self._lock:
            self._close(batch)
            return await self.work(tuple(dict.fromkeys(batch.names)))

    def _close(self, batch: _Batch) -> None:
        if self._open is batch:
            self._open = None


class Agreed:
    """Who wants the same goes on beside each other; who wants something else waits until all of them are done."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._wanted: object = None
        self._count = 0

    @contextlib.asynccontextmanager
    async def on(self, wanted: object) -> AsyncIterator[bool]:
        """Be among those who want this. True for the first, who is to bring it about before it waits for anything."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._count == 0 or self._wanted == wanted)
            first = self._count == 0
            self._wanted = wanted
            self._count += 1
        try:
            yield first
        finally:
            self._count -= 1
            async with self._changed:
                self._changed.notify_all()
