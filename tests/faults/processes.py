"""Every process of a round, found by what stands in its command line and environment."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """`kind` is "qemu", "keeper", "ssh" or "other"; `guest` is "" where none is named."""

    pid: int
    kind: str
    guest: str
    command: str

    def end(self) -> None:
        """End it at once. Raises ProcessLookupError when it is gone."""
        os.kill(self.pid, signal.SIGKILL)


def processes(*places: Path) -> list[Process]:
    """The living processes that were started with one of these directories, other than ourselves."""
    found = []
    wanted = [os.fsencode(place) for place in places]
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (directory / "cmdline").read_bytes()
            told = command + (directory / "environ").read_bytes()
            if int(directory.name) != os.getpid() and command and any(each in told for each in wanted):
                found.append(_process(int(directory.name), command.replace(b"\0", b" ").decode(errors="replace")))
    return found


def _process(pid: int, command: str) -> Process:
    program = command.split(" ", 1)[0]
    if "qemu-system" in command and "-name" in command:  # setpriv is QEMU in a moment, under the same id
        match = re.search(r"-name guest=(\S+)", command)
        return Process(pid, "qemu", match[1] if match else "", command)
    if "qemu/keeper.py" in command:
        match = re.search(r"/guests/([^/ ]+)/keeper\.json", command)
        return Process(pid, "keeper", match[1] if match else "", command)
    kind = "ssh" if Path(program).name in ("ssh", "ssh:") else "other"
    return Process(pid, kind, "", command)


def wait_until(condition: Callable[[], object], seconds: float, *, meanwhile: Callable[[], object] = bool) -> bool:
    """Wait for a condition; False when it did not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        meanwhile()
        time.sleep(0.1)
    return True
