"""Work in a task of its own beside the tests of a guest."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from types import TracebackType
from typing import Self


class Background(abc.ABC):
    """A context manager: `_go_on` runs in a task until the context is left.

    Leaving it cancels the task; an error that ended the task earlier is raised then.
    """

    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @abc.abstractmethod
    async def _go_on(self) -> None:
        """The work, without an end of its own."""
