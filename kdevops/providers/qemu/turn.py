"""What the keeper does in one turn of its loop: decisions that do no I/O. Standard library alone, for the keeper."""

from __future__ import annotations

from typing import NamedTuple

FLUSH_EVERY = 0.5
"""Seconds between two tries to write what the disk did not take."""
LOOK_EVERY = 2.0
"""Seconds between two looks whether the sockets are still there."""


class Heard(NamedTuple):
    """What one turn brought.

    `console_closed`: QEMU's end of the console did. `lifeline_closed`: whoever started the keeper is gone. `halted`: the guest's
    kernel said that it stopped for good.
    """

    console_closed: bool = False
    lifeline_closed: bool = False
    halted: bool = False


class Move(NamedTuple):
    """`kill` is why QEMU is ended now, "" where it is left alone; `stop`: this was the last turn."""

    kill: str = ""
    stop: bool = False


def move(heard: Heard) -> Move:
    """What to do about it. QEMU itself does not take a kernel that halted for its end, and its console closes when it is killed.

    One whose console closes ends by itself, as a rule; it is waited for then.
    """
    kill = "halted" if heard.halted else "lifeline" if heard.lifeline_closed else ""
    return Move(kill, stop=heard.console_closed or heard.lifeline_closed)


def nap(monitor: float | None, *, behind: bool) -> float:
    """Seconds until the next turn where nothing is heard before.

    `monitor` is when QEMU's monitor wants to be asked, None for never; `behind`: text waits for the disk.
    """
    waits = (LOOK_EVERY, monitor, FLUSH_EVERY if behind else None)
    return min(seconds for seconds in waits if seconds is not None)
