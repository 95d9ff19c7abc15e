"""A guest that is this machine's shell: real processes and the real runner, with nothing booted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import BootError
from kdevops.guest.execute import Execution
from kdevops.guest.ssh import SshTarget
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import GuestStatus
from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import PlannedTest


@dataclass(frozen=True, slots=True)
class LocalTarget(SshTarget):
    """Runs what it is given right here, quoted exactly as ssh would get it.

    `log` stands for the log of its kernel: this machine's own is neither written nor read.
    """

    log: Path = Path("/dev/null")

    def argv(self, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        if list(command) == ["dmesg"]:
            return ["cat", str(self.log)]
        return ["sh", "-c", shlex.join(command).replace("/dev/kmsg", str(self.log))]

    async def answers(self, *, timeout: float) -> bool:
        return True


def local_target(name: str = "guest-1", log: Path = Path("/dev/null")) -> LocalTarget:
    nowhere = Path("/nonexistent")
    return LocalTarget(name, "127.0.0.1", 22, "root", nowhere, nowhere, log=log)


@dataclass
class LocalGuest:
    """`alive` is said by the file `up`; a test kills the guest by removing it, or says by `taken` and `restarted` what it is."""

    provider: LocalProvider
    name: str
    persist: bool = False

    @property
    def ssh(self) -> SshTarget:
        return local_target(self.name, self.log)

    @property
    def log(self) -> Path:
        return self.directory / "kernel.log" if self.provider.mute else self.console

    @property
    def directory(self) -> Path:
        return self.provider.directory / self.name

    @property
    def console(self) -> Path:
        return self.directory / "console.log"

    def alive(self) -> bool:
        return (self.directory / "up").exists()

    async def gone(self) -> str:
        taken = self.directory / "taken"
        return taken.read_text().strip() if taken.exists() else ""

    async def held(self) -> str:
        held = self.directory / "held"
        return held.read_text().strip() if held.exists() else ""

    async def restarted(self) -> bool:
        return (self.directory / "restarted").exists()

    async def discard(self) -> None:
        await self.down()

    async def sysrq(self, keys: str) -> None:
        with self.console.open("a") as file:
            file.write(f"sysrq: {keys}\n")

    async def down(self) -> None:
        (self.directory / "up").unlink(missing_ok=True)


@dataclass
class LocalProvider:
    directory: Path
    refuse: int = 0
    """How many boots fail before one succeeds."""
    boots: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    slowdown: float = 1.0
    mute: bool = False
    """Whether the console shows nothing of what the kernel says."""
    at_boot: str = ""
    """What the kernel says while it boots."""

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> LocalGuest:
        self.boots.append((name, tuple(extra_cmdline)))
        guest = LocalGuest(self, name, persist)
        guest.directory.mkdir(parents=True, exist_ok=True)
        if self.refuse:
            self.refuse -= 1
            raise BootError(f"guest {name}: no answer", log=guest.console)
        (guest.directory / "up").touch()
        guest.console.touch()
        with guest.log.open("w" if self.mute else "a") as file:
            file.write(self.at_boot)
        for name in ("taken", "restarted", "held"):
            (guest.directory / name).unlink(missing_ok=True)
        (guest.directory / "persist").unlink(missing_ok=True)
        if persist:
            (guest.directory / "persist").touch()
        return guest

    def attach(self, name: str) -> LocalGuest | None:
        guest = LocalGuest(self, name, persist=(self.directory / name / "persist").exists())
        return guest if guest.alive() else None

    @property
    def accel(self) -> Acceleration:
        return Acceleration("none", "these guests are this machine", self.slowdown)

    def parameters(self, extra_cmdline=()) -> tuple[str, ...]:
        return tuple(extra_cmdline)

    def command_lines(self) -> dict[str, list[str]]:
        return {}

    async def status(self) -> tuple[GuestStatus, ...]:
        return ()

    async def down(self) -> None:
        return None


class ExitCodeReader:
    """Goes by the exit code alone."""

    def feed(self, line: str) -> None:
        pass

    def outcome(self, execution: Execution) -> Outcome:
        if execution.returncode is None:
            return Outcome(Status.HANG, execution.seconds, "stopped at its deadline")
        status = {0: Status.PASS, 4: Status.SKIP}.get(execution.returncode, Status.FAIL)
        return Outcome(status, execution.seconds, f"exit code {execution.returncode}" if status is Status.FAIL else "")


@dataclass(frozen=True)
class ShellSuite:
    """Tests that are shell scripts."""

    scripts: Mapping[str, str]
    timeout: float = 30.0
    name: str = "shell"
    payload: Path | None = None
    remote: str = "/nonexistent"
    record: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        return tuple(PlannedTest(TestId(self.name, "default", name), self.timeout) for name in self.scripts)

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        return ("sh", "-c", self.scripts[test.id.name]), "/"

    def reader(self, test: PlannedTest) -> ExitCodeReader:
        return ExitCodeReader()
