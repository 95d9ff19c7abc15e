"""The boots of a remote machine: whether it answers, its kernel, a reset, and its last messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest import console as console_file
from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import Lab
from kdevops.paths import socket_of
from kdevops.progress import Progress, Report
from kdevops.providers.address import Address
from kdevops.providers.machines import disks as remote_disks
from kdevops.providers.machines import pstore
from kdevops.providers.machines.guest import ANSWER
from kdevops.providers.machines.reach import Reach, what_to_do
from kdevops.providers.machines.reset import begin_reset
from kdevops.providers.shared.installation import Install, Installation, boot_error
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.shared.recorder import Recorders, append

STEP = "machines"
BACK = 30.0
"""Seconds for a machine to show that only a connection was lost."""


@dataclass(frozen=True)
class Boots:
    """Boots the machines of one lab. `slowdown` stretches deadlines; `preexisting` is as in the provider."""

    lab: Lab
    directory: LabDirectory
    slowdown: float
    preexisting: bool
    install: Install | None
    report: Report
    recorders: Recorders

    def target(self, name: str, address: Address) -> SshTarget:
        """How to reach the machine."""
        control = socket_of(self.directory.guest(name), "ssh")
        return SshTarget(
            name, address.host, address.port, address.user, address.key, self.directory.known_hosts, control
        )

    async def answering(self, name: str, address: Address, seconds: float) -> str:
        """The id of the machine's boot; "" if it does not answer within `seconds`, multiplied by the slowdown."""
        console = self.recorders.asking(name)
        return await self._reach.boot(self.target(name, address), address, console, seconds=seconds * self.slowdown)

    async def install_kernel(self, name: str, address: Address, words: tuple[str, ...], offset: int) -> str:
        """Make the machine, which answers, run the lab's kernel; returns the id of its new boot. Raises BootError."""
        target = self.target(name, address)
        self._progress(f"{name} gets its kernel")
        try:
            await self._installation(target, words, self._console(name))
        except BootError:
            await self.last_words(name, address)
            raise
        boot_id = await self.answering(name, address, BACK)
        if not boot_id:
            raise self.silent(name, address, "it does not answer after its kernel was installed", offset)
        # Write to disk what it will start next: a test may be a power cut.
        await target.run(["sync"], timeout=BACK * self.slowdown)
        await self.link_disks(name, address)
        return boot_id

    async def reset(self, name: str, address: Address, before: str, *, answers: bool) -> None:
        """Make the machine start another boot than `before`. Raises BootError."""
        target, offset = self.target(name, address), console_file.end_of(self._console(name))
        log = self.directory.guest(name) / "reset.log"
        self._progress(f"{name} is reset")
        try:
            await begin_reset(target, address, log, answers=answers, timeout=ANSWER * self.slowdown)
        except InfrastructureError as error:
            raise boot_error(name, error, self._console(name), offset) from None
        await target.disconnect()
        if not await self._reach.boot(target, address, None, seconds=self.boot_timeout * self.slowdown, old=before):
            raise self.silent(
                name, address, "it does not come back from a reset" if answers or address.reset else "", offset
            )
        await self.last_words(name, address)

    async def link_disks(self, name: str, address: Address) -> None:
        """Name the disks in the guest as the lab does. Raises InfrastructureError if they do not match the lab."""
        sizes = [disk.size for disk in self.lab.guests.disks for _ in range(disk.count)]
        if len(address.disks) != len(sizes):
            raise InfrastructureError(
                f"guest {name} has {len(address.disks)} disks, but guests.disks says {len(sizes)}"
            )
        target = self.target(name, address)
        await remote_disks.link(target, address.disks, sizes, timeout=ANSWER * self.slowdown, slowdown=self.slowdown)

    async def last_words(self, name: str, address: Address) -> None:
        """Record the last messages of earlier boots' kernels, if no console showed them."""
        await self.recorders.catch_up(name)
        if address.console:
            return
        if said := await pstore.last_words(self.target(name, address), timeout=ANSWER * self.slowdown):
            append(self._console(name), said)

    def silent(self, name: str, address: Address, what: str, offset: int) -> BootError:
        """The error for a machine that does not answer; `what` failed. Its console is read from `offset` on."""
        why = self._reach.troubles.get(name, "")
        error = InfrastructureError(
            "; ".join(filter(None, [what, why])), hint=what_to_do(name, address, preexisting=self.preexisting)
        )
        return boot_error(name, error, self._console(name), offset)

    @cached_property
    def _installation(self) -> Installation:
        return Installation(self.install)

    @cached_property
    def _reach(self) -> Reach:
        return Reach(self.directory.known_hosts, self.slowdown, self.preexisting, self.report)

    @property
    def boot_timeout(self) -> float:
        """Seconds for the boot of a real machine."""
        return self.lab.provider.boot_timeout

    def _console(self, name: str) -> Path:
        return self.directory.guest(name) / "console.log"

    def _progress(self, detail: str) -> None:
        self.report(Progress(STEP, detail))
