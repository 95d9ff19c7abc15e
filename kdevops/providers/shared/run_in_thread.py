"""Run blocking libraries in a thread, while their commands run in our event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from kdevops.process import Completed

T = TypeVar("T")
RunCommand = Callable[[Sequence[str]], Completed]
"""Runs a command from the thread and blocks it until the command has ended."""


async def run_in_thread(
    work: Callable[[RunCommand], T], run: Callable[[Sequence[str]], Coroutine[Any, Any, Completed]]
) -> T:
    """Run `work` in a thread; the function it gets calls `run` in this loop, and is cancelled with us."""
    loop = asyncio.get_running_loop()
    running: list[asyncio.Task[Completed]] = []
    cancelled = False

    async def start(argv: Sequence[str]) -> Completed:
        if cancelled:
            raise asyncio.CancelledError
        running.append(asyncio.ensure_future(run(argv)))
        return await running[-1]

    def run_command(argv: Sequence[str]) -> Completed:
        return asyncio.run_coroutine_threadsafe(start(argv), loop).result()

    thread = asyncio.ensure_future(asyncio.to_thread(work, run_command))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        cancelled = True
        for task in running:
            task.cancel()
        await asyncio.wait({thread})
        raise
