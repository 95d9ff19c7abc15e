"""Vagrant operations on several machines in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdevops.errors import InfrastructureError, KdevopsError
from kdevops.providers.shared.batch import Batcher
from kdevops.providers.vagrant.tool import Address, VagrantTool

_UP = 2.0
"""Boot timeouts that `vagrant up` may take: besides the boot, disks are copied and keys are replaced."""
_EACH = 0.25
"""Additional boot timeouts per machine of the same command: they start concurrently, but share CPUs."""


@dataclass
class Group:
    """The machines of one Vagrantfile. `boot_timeout` is in seconds, already stretched."""

    tool: VagrantTool
    boot_timeout: float
    _addresses: dict[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start = Batcher(self._start_all)
        self._destroy = Batcher(self.tool.destroy)

    async def start(self, name: str) -> Address:
        """Create the machine if necessary, start it, and return its ssh address."""
        await self._start(name)
        return self._addresses[name]

    async def destroy(self, name: str) -> None:
        """Remove a machine."""
        await self._destroy(name)

    def deadline(self, machines: int) -> float:
        """Seconds for a `vagrant up` of this many machines, which Vagrant starts one by one on VirtualBox."""
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
            # One machine that does not come up is no reason to recreate the others.
            trouble, came = error, await self._running(names)
        if came:
            self._addresses |= await self.tool.addresses(came)
        unsaid = InfrastructureError("vagrant does not report its ssh address", log=self.tool.log)
        return {name: trouble or unsaid for name in names if name not in came or name not in self._addresses}

    async def _running(self, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            states = await self.tool.states()
        except KdevopsError:  # the earlier error is more useful
            return ()
        return tuple(name for name in names if states.get(name) == "running")
