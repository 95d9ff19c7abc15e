"""Record the console of a remote machine by a command that prints it: everything so far, or a stream from now on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError
from kdevops.files import write_atomic
from kdevops.process import run
from kdevops.providers.address import Address
from kdevops.providers.shared.console_file import ConsoleFile
from kdevops.providers.shared.machine_state import says_end

LIMIT = 64 << 20
"""Bytes of one console file, as for guests of the embedded provider."""
WINDOW = 1 << 20
"""Bytes at the end of a polled console's text that are used to join the next answer to it."""
_EVERY = 10.0
"""Seconds between two polls of a console: clouds answer slowly, and limit requests."""
_ASKING = 60.0
_AGAIN = 5.0
"""Seconds until an ended stream command is restarted."""
_CANDIDATES = 1000
_ANCHOR = 64

_LINE_END = b"\r\n"
_PADDING = _LINE_END + b"\0"
"""Padding that tools and some clouds add to an answer: AWS's tool a line end, Azure zeros up to a full page."""

Complain = Callable[[str], None]


def fresh_part(seen: bytes, now: bytes) -> bytes:
    """The part of `now` that comes after `seen`: two answers about one console, each complete or only its end.

    All of `now` if they have nothing in common, or if the text is too repetitive to tell.
    """
    if now in seen:
        return b""
    anchor = now[:_ANCHOR]
    start = seen.find(anchor)
    for _ in range(_CANDIDATES):  # a hostile console may be one long repetition
        if start < 0:
            break
        if now.startswith(seen[start:]):  # the leftmost overlap is the longest
            return now[len(seen) - start :]
        start = seen.find(anchor, start + 1)
    for start in range(max(0, len(seen) - _ANCHOR + 1), len(seen)):  # overlaps shorter than the anchor
        if now.startswith(seen[start:]):
            return now[len(seen) - start :]
    return now


class Streamed:
    """A console that a command streams from now on, recorded until this object is stopped."""

    def __init__(self, argv: Sequence[str], path: Path, complain: Complain) -> None:
        self._argv, self._file, self._complain = tuple(argv), ConsoleFile(path, LIMIT), complain
        self._task = asyncio.create_task(self._follow())

    def ended(self) -> bool:
        """False: readers of the recorded console see the end at once."""
        return False

    def renew(self) -> None:
        """Nothing to do: readers of the recorded console know their offset."""

    async def catch_up(self) -> None:
        """Nothing to do: it is up to date."""

    async def stop(self) -> None:
        """End the command."""
        await _end(self._task)

    async def _follow(self) -> None:
        told = ""
        while True:
            try:
                done = await run(self._argv, check=False, on_bytes=self._file.write)
            except CommandError as error:
                self._complain(error.message)
                return
            said = "".join(done.stderr.strip().splitlines()[-1:])
            complaint = f"{self._argv[0]} ended with exit code {done.returncode}" + (f": {said}" if said else "")
            if complaint != told:
                self._complain(complaint)
            told = complaint
            await asyncio.sleep(_AGAIN)


class Polled:
    """A console that a command prints completely, or its last part; polled until it is stopped.

    A cloud's answer may be old: if the console shows that the kernel ended, it did so unless `lives`.
    """

    def __init__(
        self, argv: Sequence[str], path: Path, complain: Complain, lives: Callable[[], Awaitable[bool]]
    ) -> None:
        self._argv, self._file, self._complain, self._lives = tuple(argv), ConsoleFile(path, LIMIT), complain, lives
        self._told = ""
        self._kept = path.with_name("console.seen")
        self._seen = self._kept.read_bytes() if self._kept.exists() else b""
        self._asking = asyncio.Lock()
        self._ended = False
        self._task = asyncio.create_task(self._look())

    def ended(self) -> bool:
        """Whether the kernel reported its end and did not answer afterwards."""
        return self._ended

    def renew(self) -> None:
        """The output so far belongs to earlier boots."""
        self._ended = False

    async def catch_up(self) -> None:
        """Record the output since the last poll."""
        await self._news()

    async def stop(self) -> None:
        """Stop polling."""
        await _end(self._task)

    async def ask(self) -> bytes:
        """The end of the console's output, without padding. Raises CommandError."""
        kept = bytearray()

        def keep(chunk: bytes) -> None:
            kept.extend(chunk)
            del kept[:-WINDOW]

        await run(self._argv, timeout=_ASKING, on_bytes=keep)
        return bytes(kept).rstrip(_PADDING)

    async def _news(self) -> bytes:
        async with self._asking:
            try:
                now = await self.ask()
            except CommandError as error:
                if error.message != self._told:  # it is polled again and again
                    self._complain(error.message)
                self._told = error.message
                return b""
            self._told = ""
            if fresh := fresh_part(self._seen, now):
                self._file.write(fresh.lstrip(_LINE_END) if self._file.at_line_start else fresh)
                self._seen = (self._seen + fresh)[-WINDOW:]
                write_atomic(self._kept, self._seen, mode=0o600)
            elif not self._file.at_line_start:  # this line is not continued
                self._file.write(b"\n")
            return fresh

    async def _look(self) -> None:
        while True:
            if says_end(await self._news()) and not await self._lives():
                self._ended = True
            await asyncio.sleep(_EVERY)


class Recorders:
    """The recorded consoles, by machine name."""

    def __init__(self) -> None:
        self._all: dict[str, Streamed | Polled] = {}

    def begin(
        self, name: str, address: Address, path: Path, complain: Complain, lives: Callable[[], Awaitable[bool]]
    ) -> None:
        """Start recording a machine's console, if it has one and is not recorded yet."""
        if not address.console or name in self._all:
            return
        if address.console_streams:
            self._all[name] = Streamed(address.console, path, complain)
        else:
            self._all[name] = Polled(address.console, path, complain, lives)

    def ended(self, name: str) -> bool:
        """Whether a polled console showed the kernel's end."""
        return name in self._all and self._all[name].ended()

    def asking(self, name: str) -> Callable[[], Awaitable[bytes]] | None:
        """A function that fetches the whole output of a console so far; None if that is impossible."""
        recorder = self._all.get(name)
        return recorder.ask if isinstance(recorder, Polled) else None

    async def catch_up(self, name: str) -> None:
        """Record a console's output up to now."""
        if name in self._all:
            await self._all[name].catch_up()

    async def renew(self, name: str) -> None:
        """A console's output up to now belongs to earlier boots."""
        await self.catch_up(name)
        if name in self._all:
            self._all[name].renew()

    async def stop(self, name: str) -> None:
        """Stop recording."""
        if recorder := self._all.pop(name, None):
            await recorder.stop()


def append(path: Path, text: str) -> None:
    """Add text from another source to a recorded console."""
    ConsoleFile(path, LIMIT).write(text.encode())


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, InfrastructureError):
        await task
