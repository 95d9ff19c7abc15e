"""What Vagrant does to several machines at once: that costs less than one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdevops.errors import InfrastructureError, KdevopsError
from kdevops.providers.shared.batch import Together
from kdevops.providers.vagrant.tool import Address, VagrantTool

_UP = 2.0
"""How many boot timeouts `vagrant up` may take: besides the boot there are disks to copy and keys to replace."""
_EACH = 0.25
"""More of them for every machine of the same command: they come up beside each other, but share CPUs."""


@dataclass
class Group:
    """The machines of one Vagrantfile. `boot_timeout` is in seconds, stretched already."""

    tool: VagrantTool
    boot_timeout: float
    _addresses: dict[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start = Together(self._start_all)
        self._destroy = Together(self.tool.destroy)

    async def start(self, name: str) -> Address:
        """Create the machine where there is none, start it, and tell where its ssh is."""
        await self._start(name)
        return self._addresses[name]

    async def destroy(self, name: str) -> None:
        """Remove a machine."""
        await self._destroy(name)

    def deadline(self, machines: int) -> float:
        """Seconds for a `vagrant up` of so many machines, which Vagrant starts one after the other on VirtualBox."""
        if self.tool.backend == "virtualbox":
            return self.boot_timeout * _UP * machines
        return self.boot_timeout * (_UP + _EACH * machines)

    async def _start_all(self, names: tuple[str, ...]) -> Mapping[str, Exception]:
        trouble: KdevopsError | None = None
        came = names
        try:
            await self.tool.up(names, timeout=self.deadline(len(names)))
        except KdevopsError as error:
            if len(names) == 1:
                raise
            # One machine that does not come up is no reason to make the others anew.
            trouble, came = error, await self._running(names)
        if came:
            self._addresses |= await self.tool.addresses(came)
        unsaid = InfrastructureError("vagrant does not say where its ssh is", log=self.tool.log)
        return {name: trouble or unsaid for name in names if name not in came or name not in self._addresses}

    async def _running(self, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            states = await self.tool.states()
        except KdevopsError:  # what went wrong before tells more
            return ()
        return tuple(name for name in names if states.get(name) == "running")
