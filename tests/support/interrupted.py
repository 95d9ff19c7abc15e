"""Work that is cancelled while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest


async def interrupted(work: Coroutine[Any, Any, object], begun: Callable[[], bool]) -> None:
    """Cancel the work when `begun` is true, and wait for its end."""
    task = asyncio.ensure_future(work)
    while not begun():  # noqa: ASYNC110 - nobody tells of a file
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
