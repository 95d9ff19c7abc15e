"""Run subprocesses.

Every command is an argv list. It is logged with its duration, its output is streamed and bounded, its whole process
group is killed at its deadline or when the caller is cancelled, and failures become readable errors. A guard process kills
running commands if the controller itself is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdevops.clock import OutOfTimeError, within
from kdevops.distribution import install_hint
from kdevops.errors import CommandError, CommandTimeout, InfrastructureError
from kdevops.guard import the_guard

log = logging.getLogger(__name__)

MAX_OUTPUT = 4 << 20
"""Bytes kept of each stream of a command; the beginning is dropped, because errors are at the end."""
MAX_LINE = 16 << 10
"""Bytes of one line passed to `on_line`; a longer line is split at carriage returns, and the parts are truncated."""
CUT = " [kdevops: the line is cut here]"
"""Suffix of a truncated line."""
MAX_LOG = 256 << 20
"""Bytes of each stream copied to `log_to`; a guest's output must not fill the disk."""
_LINES_AT_ONCE = 1 << 13
"""Bytes split into lines at a time."""
_KILL_GRACE = 1.0
_MAX_SAID = 300


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `returncode` is negative for a signal; `seconds` is wall time."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


async def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | BinaryIO | None = None,
    timeout: float | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
    log_to: Path | None = None,
    hint: str | None = None,
    interrupt_grace: float = 0.0,
) -> Completed:
    """Run `argv` until it ends and return its output.

    `env` is added to our own environment. `stdin` is bytes, or an open file that is streamed. `timeout` is in seconds,
    without those in which this process was held up; a command that has ended by then was in time.
    `on_line` gets every line of both streams as it arrives, `on_bytes` all of stdout in arbitrary chunks. Both streams are
    appended to `log_to`, up to MAX_LOG each. With `interrupt_grace`, stopping a command first sends SIGINT (only to it, not
    to its group) and waits this many seconds before the group is killed.

    Raises CommandTimeout when the command runs out of time, CommandError when it is not found, or (with `check`) fails or
    dies of a signal.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(_log_file(log_to, words)) if log_to else None
        guard = the_guard()  # started before the command, so that the command is unguarded only briefly
        process = await _spawn(words, cwd, env, stdin)
        stack.enter_context(guard.watching(process.pid, interrupt_grace))
        out, err = _Stream(on_line, sink, on_bytes), _Stream(on_line, sink)
        work = [
            asyncio.ensure_future(out.drain(process.stdout)),
            asyncio.ensure_future(err.drain(process.stderr)),
            asyncio.ensure_future(_feed(process.stdin, stdin if isinstance(stdin, bytes) else None)),
        ]
        try:
            returncode = await within(_end_of(process, work), timeout)
        except BaseException as error:
            await _to_the_end(_stop(process, work, interrupt_grace))
            if not isinstance(error, OutOfTimeError):
                raise
            assert timeout is not None
            message = f"{_name(words)} did not finish within {timeout:g} s and was stopped"
            output = err.text() or out.text()
            raise CommandTimeout(message, argv=words, seconds=timeout, output=output, hint=hint, log=log_to) from None
    done = Completed(words, returncode, out.text(), err.text(), time.monotonic() - started)
    log.debug("%s: %d in %.2f s", shlex.join(words), returncode, done.seconds)
    if check and returncode != 0:
        raise failure(done, hint=hint, log_path=log_to)
    return done


def failure(done: Completed, *, hint: str | None = None, log_path: Path | None = None) -> CommandError:
    """The error for a failed command, with its last output line."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    message = f"{_name(done.argv)} {describe_exit(done.returncode)}"
    if said:
        message += f": {said[-1].strip()[:_MAX_SAID]}"
    output = done.stderr.strip() or done.stdout.strip()
    return CommandError(message, argv=done.argv, returncode=done.returncode, output=output, hint=hint, log=log_path)


def describe_exit(returncode: int) -> str:
    """An exit code in words, as in "failed with exit code 2" or "was killed by SIGKILL (out of memory?)"."""
    if returncode >= 0:
        return f"failed with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


class _Stream:
    """Reads one stream of a command: keeps its end, splits it into lines, copies it to the log."""

    def __init__(
        self,
        on_line: Callable[[str], None] | None,
        sink: BinaryIO | None,
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        self._kept = bytearray()
        self._line = bytearray()
        self._cut = False
        self._on_line = on_line
        self._on_bytes = on_bytes
        self._sink = sink
        self._log_room = MAX_LOG

    async def drain(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        # Many short lines take a while to handle, and reading buffered data never yields to other tasks.
        size = _LINES_AT_ONCE if self._on_line else 1 << 16
        while chunk := await stream.read(size):
            await asyncio.sleep(0)
            self._kept += chunk
            if len(self._kept) > 2 * MAX_OUTPUT:
                del self._kept[:-MAX_OUTPUT]
            if self._sink and self._log_room:
                self._copy(chunk, self._sink)
            if self._on_bytes:
                self._on_bytes(chunk)
            if self._on_line:
                self._split(chunk)
        if self._line and self._on_line:
            self._hand_out(self._line)

    def _copy(self, chunk: bytes, sink: BinaryIO) -> None:
        part = chunk[: self._log_room]
        self._log_room -= len(part)
        sink.write(part if self._log_room else part + b"\n[the log is cut here]\n")
        sink.flush()  # a log is read while the command runs

    def _split(self, chunk: bytes) -> None:
        assert self._on_line
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._extend(line)
            self._hand_out(self._line)
            self._line.clear()
        self._extend(rest)

    def _extend(self, part: bytes) -> None:
        """Add to the current line. If it grows too long, pass on the parts before its last carriage return."""
        self._line += part
        if len(self._line) > MAX_LINE:
            # A progress bar redraws one line forever and must not hide what follows it. A carriage return at the end
            # may be the first half of a line end.
            *whole, last = self._line[:-1].split(b"\r")
            for each in whole:
                self._hand_out(each)
            self._cut = self._cut or len(last) > MAX_LINE
            self._line = last[:MAX_LINE] + self._line[-1:]

    def _hand_out(self, line: bytearray) -> None:
        assert self._on_line
        text = line[:MAX_LINE].decode(errors="replace").rstrip("\r")
        self._on_line(text + CUT if self._cut or len(line) > MAX_LINE else text)
        self._cut = False

    def text(self) -> str:
        return bytes(self._kept[-MAX_OUTPUT:]).decode(errors="replace")


async def _spawn(
    words: tuple[str, ...], cwd: Path | None, env: Mapping[str, str] | None, stdin: bytes | BinaryIO | None
) -> asyncio.subprocess.Process:
    source: int | BinaryIO = subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL
    try:
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=cwd,
            env={**os.environ, **env} if env is not None else None,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd and not cwd.is_dir():
            raise InfrastructureError(f"directory {cwd} is gone, cannot run {_name(words)} in it") from error
        raise CommandError(
            f"{words[0]} is not installed", argv=words, returncode=None, hint=install_hint(words[0])
        ) from error
    except PermissionError as error:
        raise CommandError(f"no permission to execute {words[0]}", argv=words, returncode=None) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte or invalid text in a word
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(f"cannot start {words[0]}: {reason}", argv=words, returncode=None) from error


async def _end_of(process: asyncio.subprocess.Process, work: Sequence[asyncio.Future[None]]) -> int:
    for each in (await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION))[0]:
        each.result()
    return await process.wait()


async def _feed(pipe: asyncio.StreamWriter | None, data: bytes | None) -> None:
    if pipe is None or data is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the command's exit code tells the story
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Await `work` even if cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled


async def _stop(process: asyncio.subprocess.Process, work: Sequence[asyncio.Future[None]], grace: float) -> None:
    """Stop reading from and writing to the command, so that the log is no longer used; then kill the command.

    With `grace` it gets SIGINT first, while its output is still read: a command that cannot write may not end.
    """
    if grace and process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            process.send_signal(signal.SIGINT)
            end = time.monotonic() + grace
            # wait() would also wait for other processes that hold the pipes.
            while process.returncode is None and time.monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.wait(work, timeout=_KILL_GRACE)
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await _kill(process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Send SIGTERM to the group, then SIGKILL. Returns even if the group cannot be killed (another user's, or stuck)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(process.wait(), _KILL_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(process.wait(), _KILL_GRACE)
    # A descendant in another group may hold our pipes open; there is no public API to close them.
    with contextlib.suppress(PermissionError):
        process._transport.close()  # type: ignore[attr-defined]


@contextlib.contextmanager
def _log_file(path: Path, words: tuple[str, ...]) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(f"$ {shlex.join(words)}\n".encode(errors="replace"))
        file.flush()
        yield file


def _name(words: tuple[str, ...]) -> str:
    """The command and its subcommand, if it looks like one: "git clone", "make"."""
    verb = words[1:2] if re.fullmatch(r"[a-z][a-z-]*", "".join(words[1:2])) else ()
    return " ".join([Path(words[0]).name, *verb])
