"""One guest's QEMU seen from the controller: start, find and stop it through its keeper."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdevops.distribution import install_hint
from kdevops.errors import InfrastructureError
from kdevops.files import write_atomic
from kdevops.paths import socket_of
from kdevops.providers.architecture import architecture
from kdevops.providers.qemu import keeper as qemu_keeper
from kdevops.providers.qemu import qmp
from kdevops.providers.qemu.end import from_outside, read_ending
from kdevops.providers.qemu.keeper import ENDING

_CONSOLE_LIMIT = 16 << 20
_POLL = 0.02
_STATE_ANSWER = 1.0
"""Seconds for the keeper to report the machine's state."""
_BURIAL = 15.0
"""Seconds for the keeper to record how its QEMU ended."""


@dataclass
class QemuProcess:
    """The QEMU of the guest whose files are in `directory`; can be recreated at any time from those files."""

    directory: Path
    _keeper: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    """Set if this process started it. Kept, because it holds the lifeline of a guest that must not outlive us."""

    @property
    def console(self) -> Path:
        """The recorded serial console."""
        return self.directory / "console.log"

    @property
    def facts(self) -> dict[str, Any]:
        """The facts recorded when the guest was started; empty for a stopped guest."""
        try:
            facts = json.loads((self.directory / "boot.json").read_text())
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    @property
    def command_line(self) -> list[str] | None:
        """QEMU's argv at the last start."""
        try:
            argv: list[str] = json.loads((self.directory / "keeper.json").read_text())["argv"]
        except (OSError, ValueError, KeyError):
            return None
        return argv

    def socket(self, kind: str) -> Path:
        """The path of one of the guest's sockets ("qmp", "console", "ssh"), short enough for the kernel."""
        return socket_of(self.directory, kind)

    def pid(self) -> int | None:
        """The keeper's process id, None if the guest does not run: the keeper holds a lock as long as it lives."""
        words = self._lock()
        return int(words[0]) if words else None

    def _lock(self) -> list[bytes]:
        """The process ids of keeper and QEMU, then ENDING, as far as they exist; empty if the guest does not run."""
        try:
            descriptor = os.open(self.directory / "keeper.lock", os.O_RDONLY)
        except OSError:
            return []
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(descriptor, 64).split()
        finally:
            os.close(descriptor)
        return []

    def ended(self) -> bool:
        """Whether the keeper that we started has exited."""
        return self._keeper is None or self._keeper.poll() is not None

    async def ended_from_outside(self) -> str:
        """Why something other than the guest ended QEMU, in a line; "" if it was the guest, and while QEMU runs."""
        for _ in range(int(_BURIAL / _POLL)):
            words = self._lock()
            if not words or ENDING.strip() not in words:
                break
            await asyncio.sleep(_POLL)
        if words:
            return ""
        if not self.facts:
            return "QEMU was stopped by another command"
        return from_outside(read_ending(self.directory / "exit.json", self.complaint()))

    async def held(self) -> str:
        """Why the machine exists but does not run, in a line; "" while it runs, and if that is unknown."""
        for pid, whom in zip(self._lock(), ("the process that keeps QEMU", "QEMU"), strict=False):
            if pid.isdigit() and _stopped(int(pid)):
                return f"{whom} is stopped (by SIGSTOP or a debugger)"
        try:
            async with asyncio.timeout(_STATE_ANSWER):
                reader, writer = await asyncio.open_unix_connection(self.socket("state"))
                line = await reader.read()
                writer.close()
            return str(json.loads(line)["held"])
        except (OSError, TimeoutError, ValueError, KeyError, TypeError):
            return ""

    def start(self, argv: list[str], facts: dict[str, Any], *, persist: bool) -> None:
        """Start QEMU and record `facts`. Without `persist`, it ends with this process. Raises InfrastructureError."""
        if shutil.which(argv[0]) is None:
            raise InfrastructureError(f"{argv[0]} is not installed", hint=install_hint(architecture().binary))
        config = {
            "argv": argv,
            "directory": str(self.directory),
            "console_socket": str(self.socket("console")),
            "limit": _CONSOLE_LIMIT,
            "state_socket": str(self.socket("state")),
            "lifeline": not persist,
        }
        for stale in ("exit.json", "qemu.log"):
            (self.directory / stale).unlink(missing_ok=True)
        write_atomic(self.directory / "keeper.json", json.dumps(config))
        write_atomic(self.directory / "boot.json", json.dumps({**facts, "stay": persist}))
        # The lifeline is the write end of the keeper's stdin: held by this process, and closed by the kernel when it
        # ends.
        with (self.directory / "qemu.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-ISE", qemu_keeper.__file__, self.directory / "keeper.json"],
                stdin=subprocess.DEVNULL if persist else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self) -> None:
        """Ask QEMU to end, then force it. Deletes only the root overlay. Raises InfrastructureError."""
        if self.pid():
            with contextlib.suppress(InfrastructureError):
                await qmp.execute(self.socket("qmp"), "quit", timeout=5)
        elif self._keeper:
            self._keeper.terminate()  # it may not have taken its lock yet
        for action in (signal.SIGTERM, signal.SIGKILL):
            if await self._gone(5):
                break
            if pid := self.pid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, action)
        if not await self._gone(10):
            raise InfrastructureError(
                f"guest {self.directory.name} could not be stopped", log=self.directory / "qemu.log"
            )
        self._keeper = None
        for leftover in ("root.qcow2", "boot.json"):
            (self.directory / leftover).unlink(missing_ok=True)

    def complaint(self) -> str:
        """The end of QEMU's error output."""
        try:
            return (self.directory / "qemu.log").read_bytes()[-4096:].decode(errors="replace").strip()
        except OSError:
            return ""

    async def _gone(self, seconds: float) -> bool:
        for _ in range(int(seconds / _POLL)):
            if self.pid() is None and self.ended():
                return True
            await asyncio.sleep(_POLL)
        return False


def _stopped(pid: int) -> bool:
    """Whether a process is stopped by job control or a debugger: state T or t in /proc/PID/stat, see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
