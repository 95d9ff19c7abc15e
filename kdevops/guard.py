"""A helper process that kills our running commands if the controller itself is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator


class Guard:
    """A child process that outlives us briefly: when our end of its pipe closes, it kills the process groups we had running."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-ISE", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    @contextlib.contextmanager
    def watching(self, group: int, grace: float = 0.0) -> Iterator[None]:
        """Kill the process group `group` if we die in this context, after `grace` seconds for SIGINT if given."""
        self._tell(f"+ {group} {grace:g}")
        try:
            yield
        finally:
            self._tell(f"- {group}")

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())


_GUARD = """
import os, signal, sys, time
groups = {}
for line in sys.stdin:
    sign, group, *grace = line.split()
    groups.pop(int(group), None)
    if sign == "+":
        groups[int(group)] = float(grace[0])
def send(act, group, number):
    try:
        act(group, number)
        return True
    except ProcessLookupError:
        return False
asked = time.monotonic()
for group in groups:
    send(os.kill if groups[group] else os.killpg, group, signal.SIGINT if groups[group] else signal.SIGKILL)
for group in sorted(groups, key=groups.get):
    while time.monotonic() < asked + groups[group] and send(os.kill, group, 0):
        time.sleep(0.05)
    send(os.killpg, group, signal.SIGKILL)
"""
_guard: Guard | None = None


def the_guard() -> Guard:
    """The guard of this process, started on first use."""
    global _guard  # noqa: PLW0603 - one per process
    if _guard is None or _guard.owner != os.getpid():
        _guard = Guard()
    return _guard
