"""How a Vagrant machine gets to run the lab's kernel: installed, booted directly, or restored from a snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kdevops.errors import CommandError, InfrastructureError, KdevopsError
from kdevops.guest import console as console_file
from kdevops.providers.base import BootKernel
from kdevops.providers.shared.batch import Agreed
from kdevops.providers.shared.installation import Installation
from kdevops.providers.vagrant.errors import translate
from kdevops.providers.vagrant.group import Group
from kdevops.providers.vagrant.hypervisors import Hypervisors
from kdevops.providers.vagrant.lab import VagrantLab
from kdevops.providers.vagrant.render import DirectKernel
from kdevops.providers.vagrant.tool import VagrantTool

ANSWER = 5.0
"""Accelerated seconds for a trivial command in a healthy machine."""
_BACK = 10.0


@dataclass(frozen=True)
class Boots:
    """The machines of a lab, and the tools to boot them.

    `tell` takes messages for people, `record` the name of a started machine.
    """

    known: VagrantLab
    tool: VagrantTool
    group: Group
    hypervisors: Hypervisors
    installation: Installation
    tell: Callable[[str], None]
    record: Callable[[str], None]
    _agreed: Agreed = field(default_factory=Agreed, repr=False, compare=False)

    async def installed(self, name: str, words: tuple[str, ...], *, usable: bool, again: bool) -> None:
        """Install the kernel in a machine and boot it; one that is not `usable` is started first.

        `again`: it was created before. Raises BootError.
        """
        console = self.known.console(name)
        if not usable:
            if again:
                await self.hypervisors.power_off(name)
            self.known.keep_console(name)
            await self._start(name)
            self.known.remember(name, console=console_file.end_of(console))
        await self.installation(self.known.target(name), words, console)
        self.known.remember(name, console=console_file.end_of(console))

    async def directly(self, name: str, kernel: BootKernel, words: tuple[str, ...], *, again: bool) -> None:
        """Boot the kernel with libvirt: the Vagrantfile names it, and its parameters only apply to new machines."""
        async with self._agreed.on(words) as first:
            if first:
                self.known.render(direct(kernel, words))
            if again:
                await self.group.destroy(name)
            await self._start(name)

    async def save(self, name: str, boots: str) -> None:
        """Take a snapshot, so that a reset takes seconds. A machine that cannot is rebooted instead."""
        await self.known.target(name).disconnect()
        try:
            await self.tool.save(name)
        except KdevopsError as error:
            self.tell(f"{name} takes no snapshots, its resets are reboots: {error.message}")
        else:
            self.known.remember(name, saved=boots)

    async def restored(self, name: str) -> bool:
        """Go back to the snapshot; returns whether that worked."""
        known, machine = self.known, self.known.machine(name)
        assert machine
        target = known.target(name)
        await target.disconnect()
        self.tell(f"{name} goes back to its snapshot")
        known.keep_console(name)
        slowdown = known.accel.slowdown
        try:
            await self.tool.restore(name, timeout=self.group.deadline(1))
            end = console_file.end_of(known.console(name))
            known.remember(name, console=end, boots=machine.saved, spoilt=False)
            # A bridge needs some seconds until it forwards a new machine's packets.
            if not await target.answers(timeout=_BACK * slowdown):
                raise InfrastructureError("it does not answer over ssh")
            # The guest's clock is at the time of the snapshot.
            await target.run(["date", "-s", f"@{time.time():.0f}"], timeout=ANSWER * slowdown)
        except KdevopsError as error:
            self.tell(f"{name} cannot go back to its snapshot: {error.message}")
            return False
        return True

    async def remove(self, name: str) -> None:
        """Remove one machine, including leftovers."""
        await self.group.destroy(name)
        await self.sweep(name)
        self.known.forget(name)

    async def sweep(self, name: str = "") -> None:
        """Remove everything of one machine, or of all, from the hypervisors."""
        try:
            await self.hypervisors.remove(name)
        except CommandError as error:
            raise translate(error.output, command="the removal of machines", log=self.tool.log) from None

    async def _start(self, name: str) -> None:
        address = await self.group.start(name)
        self.known.remember(name, host=address.host, port=address.port)
        self.record(name)


def direct(kernel: BootKernel, words: tuple[str, ...]) -> DirectKernel:
    """The kernel in the form that the Vagrantfile needs."""
    return DirectKernel(kernel.image, words, kernel.initrd)
