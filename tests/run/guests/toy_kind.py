"""A kind of provider from outside of the package: guests that are this machine, and say that they run what was built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kdevops.errors import UserError
from kdevops.guest.ssh import SshTarget
from kdevops.kernel.artifact import Artifact
from kdevops.lab.fields import Model
from kdevops.lab.model import Lab
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.providers.base import GuestStatus
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import Kind, counted
from tests.support.local_guest import LocalGuest, LocalProvider, LocalTarget


class Toy(Model):
    """What a lab file may say of it."""

    type: Literal["toy"]
    colour: str = "red"
    boot_timeout: float = 1


@dataclass(frozen=True, slots=True)
class ToyTarget(LocalTarget):
    build_id: str = ""

    def argv(self, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        return ["echo", self.build_id] if "/sys/kernel/notes" in command else LocalTarget.argv(self, command, tty=tty)


@dataclass
class ToyGuest(LocalGuest):
    build_id: str = ""

    @property
    def ssh(self) -> SshTarget:
        nowhere = Path("/nonexistent")
        return ToyTarget(self.name, "127.0.0.1", 22, "root", nowhere, nowhere, log=self.log, build_id=self.build_id)


@dataclass
class ToyProvider(LocalProvider):
    names: tuple[str, ...] = ()
    build_id: str = ""

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> ToyGuest:
        guest = await super().up(name, extra_cmdline=extra_cmdline, persist=persist, fresh=fresh)
        return ToyGuest(self, name, guest.persist, self.build_id)

    async def status(self) -> tuple[GuestStatus, ...]:
        return tuple(GuestStatus(name, "running" if self.attach(name) else "stopped") for name in self.names)

    async def down(self) -> None:
        for name in self.names:
            (self.directory / name / "up").unlink(missing_ok=True)


class ToyKind(Kind):
    """`provider: {type: toy}`."""

    caches = ("toys",)

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> ToyProvider:
        return self._provider(lab, dirs)

    async def preflight(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> None:
        if lab.provider_as(Toy).colour == "blue":
            raise UserError("there are no blue toys")

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> ToyProvider:
        return self._provider(lab, dirs, built.artifact)

    def describe(self, lab: Lab) -> str:
        return f"{counted(lab, 'toy')}, {lab.provider_as(Toy).colour}"

    @staticmethod
    def _provider(lab: Lab, dirs: Dirs, artifact: Artifact | None = None) -> ToyProvider:
        build_id = (artifact.build_id or "") if artifact else ""
        return ToyProvider(dirs.lab(lab.name) / "toys", names=lab.guest_names(), build_id=build_id)
