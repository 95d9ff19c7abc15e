"""Libraries in threads, whose commands are run by our event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from threading import Event

import pytest

from kdevops.process import Completed, run
from kdevops.providers.shared.run_in_thread import RunCommand, run_in_thread


async def carry_out(argv: Sequence[str]) -> Completed:
    return await run(list(argv))


def test_what_a_library_asks_for_is_run_and_answered() -> None:
    def work(run_command: RunCommand) -> str:
        return run_command(["echo", "one"]).stdout + run_command(["echo", "two"]).stdout

    assert asyncio.run(run_in_thread(work, carry_out)) == "one\ntwo\n"


def test_a_command_that_runs_when_we_are_cancelled_is_ended() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(run_in_thread(lambda run_command: run_command(["sleep", "60"]), carry_out))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 30


def test_a_command_that_would_begin_after_we_were_cancelled_is_not_begun() -> None:
    """A library that takes long to be imported, or runs one command after the other."""
    begin, ran = Event(), []

    async def note(argv: Sequence[str]) -> Completed:
        ran.append(argv)
        return await carry_out(argv)

    def work(run_command: RunCommand) -> Completed:
        begin.wait(30)
        return run_command(["true"])

    async def main() -> None:
        task = asyncio.ensure_future(run_in_thread(work, note))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.sleep(0)
        begin.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not ran
