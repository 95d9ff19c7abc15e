"""The one door for subprocesses.

Every command is an argv list. It is logged with its duration, its output is streamed and bounded, its whole process group
is killed at its deadline or when the caller is cancelled, and what went wrong is told in prose. A guard process kills what
is left should the controller itself be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdevops.errors import CommandError, InfrastructureError
from kdevops.paths import data_dir

log = logging.getLogger(__name__)

MAX_OUTPUT = 4 << 20
"""Bytes kept of each stream of a command; the beginning is dropped, because errors stand at the end."""
MAX_LINE = 16 << 10
"""Bytes of one line handed to `on_line`; a longer one is cut."""
_KILL_GRACE = 1.0


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
    log_to: Path | None = None,
    hint: str | None = None,
) -> Completed:
    """Run `argv` to its end and return what it said.

    `env` is added to our own environment. `stdin` is bytes, or an open file that is streamed. `timeout` is in seconds.
    `on_line` sees every line of both streams as it comes. `log_to` gets everything, appended.

    Raises CommandError when the command is not found, runs out of time, dies of a signal, or (with `check`) fails.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(_log_file(log_to, words)) if log_to else None
        process = await _spawn(words, cwd, env, stdin)
        stack.enter_context(_guarded(process.pid))
        out, err = _Stream(on_line, sink), _Stream(on_line, sink)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.gather(
                    out.drain(process.stdout),
                    err.drain(process.stderr),
                    _feed(process.stdin, stdin if isinstance(stdin, bytes) else None),
                )
                returncode = await process.wait()
        except TimeoutError:
            await _kill(process)
            message = f"{_name(words)} did not finish within {timeout:g} s and was stopped"
            raise CommandError(message, argv=words, returncode=None, output=err.text() or out.text(), hint=hint, log=log_to) from None
        except BaseException:
            await _kill(process)
            raise
    done = Completed(words, returncode, out.text(), err.text(), time.monotonic() - started)
    log.debug("%s: %d in %.2f s", shlex.join(words), returncode, done.seconds)
    if check and returncode != 0:
        raise failure(done, hint=hint, log_path=log_to)
    return done


def run_sync(argv: Sequence[str | os.PathLike[str]], *, timeout: float = 30.0, env: Mapping[str, str] | None = None) -> Completed:
    """`run` for a short question (a version, a path) asked outside of any event loop; never fails on the exit code."""
    return asyncio.run(run(argv, timeout=timeout, env=env, check=False))


def failure(done: Completed, *, hint: str | None = None, log_path: Path | None = None) -> CommandError:
    """The error that tells how `done` failed, with the last line it said."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    message = f"{_name(done.argv)} {describe_exit(done.returncode)}"
    if said:
        message += f": {said[-1].strip()}"
    output = done.stderr.strip() or done.stdout.strip()
    return CommandError(message, argv=done.argv, returncode=done.returncode, output=output, hint=hint, log=log_path)


def describe_exit(returncode: int) -> str:
    """An exit code in words: "failed with exit code 2", "was killed by SIGKILL (out of memory?)"."""
    if returncode >= 0:
        return f"failed with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def install_hint(command: str) -> str:
    """How to get `command` on this distribution; the names come from the role `controller`, which installs them too."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        table = json.loads((data_dir("roles") / "controller/vars/commands.json").read_text())["controller_commands"]
        family = distribution_family()
        installer = {"debian": "apt-get install", "redhat": "dnf install", "suse": "zypper install", "archlinux": "pacman -S"}[family]
        return f"install it: {installer} {table[command][family]} (or everything at once: kdevops doctor --install)"
    return "install it with your distribution's package manager, or everything at once: kdevops doctor --install"


def distribution_family(os_release: Path = Path("/etc/os-release")) -> str:
    """debian, redhat, suse or archlinux, from os-release(5); "unknown" elsewhere."""
    fields = {}
    with contextlib.suppress(OSError):
        for line in os_release.read_text().splitlines():
            key, _, value = line.partition("=")
            fields[key] = value.strip("\"'")
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    families = {
        "debian": "debian", "ubuntu": "debian", "fedora": "redhat", "rhel": "redhat", "centos": "redhat",
        "suse": "suse", "opensuse": "suse", "arch": "archlinux",
    }  # fmt: skip
    return next((families[name] for name in names if name in families), "unknown")


class _Stream:
    """Drains one stream of a command: keeps its end, cuts it into lines, copies it to the log."""

    def __init__(self, on_line: Callable[[str], None] | None, sink: BinaryIO | None) -> None:
        self._kept = bytearray()
        self._line = bytearray()
        self._on_line = on_line
        self._sink = sink

    async def drain(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while chunk := await stream.read(1 << 16):
            self._kept += chunk
            if len(self._kept) > 2 * MAX_OUTPUT:
                del self._kept[:-MAX_OUTPUT]
            if self._sink:
                self._sink.write(chunk)
            if self._on_line:
                self._split(chunk)
        if self._line and self._on_line:
            self._on_line(self._line.decode(errors="replace"))

    def _split(self, chunk: bytes) -> None:
        assert self._on_line
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._on_line((self._line + line[:MAX_LINE])[:MAX_LINE].decode(errors="replace").rstrip("\r"))
            self._line.clear()
        self._line += rest[: max(0, MAX_LINE - len(self._line))]

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
            raise InfrastructureError(f"directory {cwd} is gone, cannot run {_name(words)} there") from error
        raise CommandError(f"{words[0]} is not installed", argv=words, returncode=None, hint=install_hint(words[0])) from error
    except PermissionError as error:
        raise CommandError(f"{words[0]} may not be executed by this user", argv=words, returncode=None) from error
    except OSError as error:
        raise CommandError(f"{words[0]} could not be started: {error.strerror}", argv=words, returncode=None) from error


async def _feed(pipe: asyncio.StreamWriter | None, data: bytes | None) -> None:
    if pipe is None or data is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the command's exit code tells the story
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to the group, then SIGKILL; the group is gone when this returns, even when the caller is cancelled again."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(process.wait(), _KILL_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(process.wait(), _KILL_GRACE)
    # A descendant that made a group of its own may hold our pipes open; there is no public way to let go of them.
    process._transport.close()  # type: ignore[attr-defined]


@contextlib.contextmanager
def _log_file(path: Path, words: tuple[str, ...]):  # type: ignore[no-untyped-def]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(f"$ {shlex.join(words)}\n".encode())
        yield file


@contextlib.contextmanager
def _guarded(group: int):  # type: ignore[no-untyped-def]
    _guard().tell(f"+{group}")
    try:
        yield
    finally:
        _guard().tell(f"-{group}")


class _Guard:
    """A child that outlives us by a moment: when our end of its pipe closes, it kills the groups we had running."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-ISE", "-c", _GUARD], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, bufsize=0
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())


_GUARD = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""
_the_guard: _Guard | None = None


def _guard() -> _Guard:
    global _the_guard  # noqa: PLW0603 - one per process, because it stands for the process
    if _the_guard is None or _the_guard.owner != os.getpid():
        _the_guard = _Guard()
    return _the_guard


def _name(words: tuple[str, ...]) -> str:
    return " ".join([Path(words[0]).name, *[word for word in words[1:3] if not word.startswith("-")]][:2])
