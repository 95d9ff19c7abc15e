"""Commands with children, and whether they are gone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from kdevops.process import Completed, run

TREE = 'trap "" TERM; sleep 300 & echo $! > "$1"; {then}'
"""A shell with a child; the child's process id goes to a file. The trap is inherited, so only SIGKILL ends either."""


def sh(script: str, *args: object) -> list[str]:
    return ["sh", "-c", script, "sh", *map(str, args)]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


async def start(argv: list[str], timeout: float | None = None) -> asyncio.Task[Completed]:
    """Run a command, and wait until it has said something."""
    said = asyncio.Event()
    task = asyncio.create_task(run(argv, timeout=timeout, on_line=lambda _: said.set()))
    await said.wait()
    return task
