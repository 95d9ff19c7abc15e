"""One test command in a guest: a deadline in the guest, one outside it, and output that is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdevops.errors import CommandError, LostGuestError
from kdevops.guest.ssh import SshTarget

_SIDE = 2 << 20
_TIMEOUT_CODE = 124
"""What timeout(1) answers when it had to end the command."""
_DRAIN = 2.0
"""Seconds for the last output to arrive after the command's end: daemons it left may hold its stdout open for ever."""

# $1 nonce, $2 seconds, $3 directory, then the test. The last line tells its exit code and the kernel's taint flags.
_WRAPPER = """
nonce=$1 limit=$2 cd=$3
shift 3
cd "$cd" || { echo "$nonce 97 0"; exit; }
timeout -k 10 "$limit" "$@" </dev/null 2>&1
code=$?
read -r taint </proc/sys/kernel/tainted
printf '\\n%s %s %s\\n' "$nonce" "$code" "$taint"
"""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command in a guest ended. `returncode` is None when it was stopped at its deadline; `seconds` is wall time.

    `silent` says that the guest did not even report the deadline: it is hung as a whole. `taint` is
    /proc/sys/kernel/tainted after the command.
    """

    returncode: int | None
    seconds: float
    silent: bool = False
    taint: int = 0


@dataclass
class Transcript:
    """Lines as they came: the first and the last 2 MiB of them, with a note of how many were left out between."""

    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    dropped: int = 0
    _head_size: int = 0
    _tail_size: int = 0

    def add(self, line: str) -> None:
        """Take one line."""
        size = len(line) + 1
        if self._head_size + size <= _SIDE:
            self.head.append(line)
            self._head_size += size
            return
        self._head_size = _SIDE  # a later, shorter line must not jump the queue
        self.tail.append(line)
        self._tail_size += size
        if self._tail_size > 2 * _SIDE:
            self._trim()

    def lines(self) -> list[str]:
        """What was kept."""
        self._trim()
        note = [f"[kdevops: {self.dropped} lines left out here]"] if self.dropped else []
        return [*self.head, *note, *self.tail]

    def _trim(self) -> None:
        cut = 0
        while self._tail_size > _SIDE:
            self._tail_size -= len(self.tail[cut]) + 1
            cut += 1
        del self.tail[:cut]
        self.dropped += cut


async def execute(
    ssh: SshTarget,
    argv: Sequence[str],
    directory: str,
    *,
    timeout: float,
    grace: float,
    alive: Callable[[], bool],
    transcript: Transcript,
) -> Execution:
    """Run `argv` in the guest for at most `timeout` seconds; past `timeout + grace` the guest itself counts as silent.

    Raises LostGuestError as soon as the guest dies or the connection breaks.
    """
    nonce = f"kdevops-{secrets.token_hex(8)}"
    reported: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

    def listen(line: str) -> None:
        if not line.startswith(nonce):
            transcript.add(line)
        elif not reported.done():
            code, taint = [*line.split()[1:3], "", ""][:2]
            reported.set_result((int(code) if code.isdecimal() else 255, int(taint) if taint.isdecimal() else 0))

    command = ["sh", "-c", _WRAPPER, "kdevops", nonce, f"{timeout:.0f}", directory, *argv]
    started = time.monotonic()
    session = asyncio.create_task(ssh.run(command, timeout=timeout + grace, check=False, on_line=listen))
    death = asyncio.create_task(_death(alive))
    try:
        waiting: set[asyncio.Future[Any]] = {session, death, reported}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        seconds = time.monotonic() - started
        if not reported.done() and not death.done():
            return await _without_report(session, reported, ssh, seconds)
        if not reported.done():
            raise LostGuestError(f"guest {ssh.name} died")
        await asyncio.wait({session}, timeout=_DRAIN)
    finally:
        for task in (session, death):
            task.cancel()
        await asyncio.gather(session, death, return_exceptions=True)
    return _execution(reported.result(), seconds, timeout)


async def _without_report(
    session: asyncio.Task[object], reported: asyncio.Future[tuple[int, int]], ssh: SshTarget, seconds: float
) -> Execution:
    """The session ended first: it was cut off, or its deadline passed without a word from the guest."""
    try:
        await session
    except CommandError as error:
        if error.returncode is None:
            return Execution(None, seconds, silent=True)
        raise
    if reported.done():
        return _execution(reported.result(), seconds, seconds + 1)
    raise LostGuestError(f"guest {ssh.name} closed the connection without saying how the command ended")


def _execution(report: tuple[int, int], seconds: float, timeout: float) -> Execution:
    code, taint = report
    # 137 is timeout(1)'s second, harder stop; a test that answers so by itself before its time is up means it.
    stopped = code == _TIMEOUT_CODE or (code == 137 and seconds >= timeout)
    return Execution(None if stopped and seconds >= timeout * 0.9 else code, seconds, taint=taint)


async def _death(alive: Callable[[], bool]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while alive():  # noqa: ASYNC110 - the guest's death is a lock's release, which nobody can be told of
            await asyncio.sleep(0.2)
