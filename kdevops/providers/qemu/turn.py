"""The keeper's decisions in one turn of its loop, without I/O. Standard library only, for the keeper."""

from __future__ import annotations

from typing import NamedTuple

FLUSH_EVERY = 0.5
"""Seconds between two attempts to write what the disk did not accept."""
LOOK_EVERY = 2.0
"""Seconds between two checks that the sockets still exist."""


class Heard(NamedTuple):
    """The events of one turn.

    `console_closed`: QEMU closed its console. `lifeline_closed`: the process that started the keeper is gone. `halted`:
    the guest's kernel reported that it halted.
    """

    console_closed: bool = False
    lifeline_closed: bool = False
    halted: bool = False


class Move(NamedTuple):
    """`kill` is the reason to end QEMU now, "" to leave it alone; `stop`: this was the last turn."""

    kill: str = ""
    stop: bool = False


def move(heard: Heard) -> Move:
    """Decide what to do. QEMU does not end by itself when a kernel halts; its console closes once it is killed.

    A QEMU whose console closes usually ends by itself, so it is waited for.
    """
    kill = "halted" if heard.halted else "lifeline" if heard.lifeline_closed else ""
    return Move(kill, stop=heard.console_closed or heard.lifeline_closed)


def nap(monitor: float | None, *, behind: bool) -> float:
    """Seconds until the next turn if nothing happens before.

    `monitor` is when the monitor has something to send, None for never; `behind`: text waits for the disk.
    """
    waits = (LOOK_EVERY, monitor, FLUSH_EVERY if behind else None)
    return min(seconds for seconds in waits if seconds is not None)
