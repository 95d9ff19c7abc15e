"""Run one test command in a guest, with deadlines inside and outside the guest and bounded output."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdevops.clock import Clock
from kdevops.errors import InfrastructureError, LostGuestError
from kdevops.guest import fitness
from kdevops.guest.fitness import Fitness
from kdevops.guest.ssh import SshTarget

_SIDE = 2 << 20
_TIMEOUT_CODE = 124
"""Exit code of timeout(1) when it stopped the command."""
_IN_TIME = 0.9
"""Fraction of a test's time after which exit code 124 means that timeout(1) stopped it at its deadline."""
_POLL = 0.2
_LAST_LOOK = 5.0
"""Seconds to read output at a test's deadline: it may have arrived while this process was held up."""
_DRAIN = 2.0
"""Seconds for the session to end by itself: daemons left by the command may keep its stdout open."""

# $1 seconds, $2 directory, then the test. Secrets come on stdin, because every program in the guest can read a command
# line: $nonce begins our own lines, the others are written to the kernel log.
_WRAPPER = f"""
read -r nonce
read -r begin
read -r end
limit=$1 cd=$2
shift 2
log() {{ {{ printf '<4>kdevops: %s\\n' "$1" >>/dev/kmsg; }} 2>/dev/null; }}
cd "$cd" || {{ printf '\\n%s code 97\\n' "$nonce"; exit; }}
{fitness.BEFORE}
log "$begin"
timeout -k 10 "$limit" "$@" </dev/null 2>&1
code=$?
log "$end"
printf '\\n%s code %s\\n' "$nonce" "$code"
{fitness.AFTER}
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """Kernel log lines, at level 4 (warning), before and after a test. Both end in a random value unknown to the test."""

    begin: str
    end: str

    @classmethod
    def around(cls, title: str) -> Marks:
        """New marks for a test."""
        return cls(f"begin {title} {secrets.token_hex(4)}", f"end {title} {secrets.token_hex(4)}")


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command in a guest ended. `returncode` is None when it was stopped at its deadline; `seconds` is wall time.

    `silent`: the guest did not even report the deadline, so the whole guest hangs. `fitness`: the guest's answers after
    the command.
    """

    returncode: int | None
    seconds: float
    silent: bool = False
    fitness: Fitness = field(default_factory=Fitness)


@dataclass
class Transcript:
    """The first and last 2 MiB of output lines, with a note of how many were dropped in between.

    `on_line` sees every line, also dropped ones.
    """

    on_line: Callable[[str], None] | None = None
    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    dropped: int = 0
    _head_size: int = 0
    _tail_size: int = 0

    def add(self, line: str) -> None:
        """Take one line."""
        if self.on_line:
            self.on_line(line)
        size = len(line) + 1
        if self._head_size + size <= _SIDE:
            self.head.append(line)
            self._head_size += size
            return
        self._head_size = _SIDE  # a later, shorter line must not go to the head
        self.tail.append(line)
        self._tail_size += size
        if self._tail_size > 2 * _SIDE:
            self._trim()

    def lines(self) -> list[str]:
        """The lines kept."""
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


class _Listener:
    """Separates our own lines from the test's output."""

    def __init__(self, nonce: str, transcript: Transcript) -> None:
        self._nonce, self._transcript = f"{nonce} ", transcript
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.fitness = Fitness()

    def hear(self, line: str) -> None:
        if not line.startswith(self._nonce):
            if not self.code.done():
                self._transcript.add(line)
            return
        answer = line.removeprefix(self._nonce)
        if answer.startswith("code "):
            code = answer.removeprefix("code ")
            if not self.code.done():
                self.code.set_result(int(code) if code.isascii() and code.isdecimal() else 255)
            return
        self.fitness.feed(answer)
        if self.fitness.finished and not self.looked.done():
            self.looked.set_result(None)


async def execute(
    ssh: SshTarget,
    argv: Sequence[str],
    directory: str,
    *,
    marks: Marks,
    timeout: float,
    grace: float,
    alive: Callable[[], bool],
    transcript: Transcript,
    look: Callable[[], float] | None = None,
) -> Execution:
    """Run `argv` in the guest for at most `timeout` seconds; past `timeout + grace` the guest counts as silent.

    `marks` are written to the kernel log. After the test the guest has `grace` seconds to report whether it is still fit.
    `look` returns seconds in which both this process and the guest were running.
    Raises LostGuestError as soon as the guest dies or the connection breaks, InfrastructureError if the guest's clock
    advanced while the guest was stopped, so that it ended the test too early.
    """
    nonce = f"kdevops-{secrets.token_hex(8)}"
    listener = _Listener(nonce, transcript)
    command = ["sh", "-c", _WRAPPER, "kdevops", f"{timeout:.0f}", directory, *argv]
    said = f"{nonce}\n{marks.begin}\n{marks.end}\n".encode()
    look = look or Clock().tick
    started, counted = time.monotonic(), look()
    session = asyncio.create_task(ssh.run(command, timeout=None, check=False, on_line=listener.hear, stdin=said))
    try:
        await _until({session, listener.code}, timeout + grace, alive, look)
        elapsed, seconds = time.monotonic() - started, look() - counted
        if not listener.code.done():
            if not session.done() and alive():
                return Execution(None, seconds, silent=True)
            if session.done():
                await session
                raise LostGuestError(f"guest {ssh.name} closed the connection without reporting how the command ended")
            raise LostGuestError(f"guest {ssh.name} died")
        # Checking the guest takes extra time that does not count for the test.
        await _until({session, listener.looked}, grace, alive, look)
        await asyncio.wait({session}, timeout=_DRAIN if not session.done() and listener.looked.done() else 0)
    finally:
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)
    code = listener.code.result()
    # 137 is timeout(1)'s SIGKILL; a test that exits with 137 earlier did so itself.
    stopped = code == _TIMEOUT_CODE or (code == 137 and elapsed >= timeout)
    if stopped and elapsed >= timeout * _IN_TIME > seconds:
        raise InfrastructureError(f"guest {ssh.name} stopped a test after only {seconds:.0f} s of {timeout:.0f} s")
    returncode = None if stopped and elapsed >= timeout * _IN_TIME else code
    return Execution(returncode, seconds, fitness=listener.fitness)


async def _until(
    ends: set[asyncio.Future[Any]], limit: float, alive: Callable[[], bool], look: Callable[[], float]
) -> None:
    """Wait for the first of `ends`, the guest's death, or the end of `limit` counted seconds.

    Output that arrived while this process was held up is read before the time is declared over.
    """
    began = look()
    over = False
    while not any(end.done() for end in ends) and alive() and not over:
        over = look() - began >= limit
        await asyncio.wait(ends, timeout=_LAST_LOOK if over else _POLL, return_when=asyncio.FIRST_COMPLETED)
