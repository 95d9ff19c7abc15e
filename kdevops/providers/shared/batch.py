"""Batches calls made within a short window into one invocation of a tool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

_PATIENCE = 0.2
"""Seconds to wait for further callers; the guests of a run all begin within a few milliseconds."""


@dataclass
class _Batch:
    names: list[str] = field(default_factory=list)
    task: asyncio.Task[Mapping[str, Exception] | None] | None = None
    waiting: int = 0


@dataclass
class Batcher:
    """Calls `work` with all names requested since its last call, never twice at a time.

    It returns the errors by name; an exception that it raises applies to all names.
    """

    work: Callable[[tuple[str, ...]], Awaitable[Mapping[str, Exception] | None]]
    patience: float = _PATIENCE
    _open: _Batch | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, name: str) -> None:
        """Do the work for `name`. Raises the error of this name, or of the whole call.

        The work is cancelled only if nobody waits for it any longer.
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
                self._close(batch)  # a new caller would wait for a cancelled task
                batch.task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await batch.task
            elif self._open is batch:
                batch.names.remove(name)  # not started yet for the others, and nobody wants this name any longer
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
    """Callers with the same key run concurrently; a caller with another key waits for all of them."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._wanted: object = None
        self._count = 0

    @contextlib.asynccontextmanager
    async def on(self, wanted: object) -> AsyncIterator[bool]:
        """Join the callers with this key. True for the first one, which must apply it before it waits for anything."""
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
