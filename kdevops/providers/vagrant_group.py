"""What Vagrant does to several machines at once: that costs less than one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

from kdevops.errors import InfrastructureError
from kdevops.providers.together import Together
from kdevops.providers.vagrant_tool import Address, VagrantTool

_UP = 2.0
"""How many boot timeouts `vagrant up` may take: besides the boot there are disks to copy and keys to replace."""
_EACH = 0.25
"""More of them for every further machine of the same command: they come up beside each other, but share CPUs."""


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
        """Seconds for a `vagrant up` of so many machines."""
        return self.boot_timeout * (_UP + _EACH * machines)

    async def _start_all(self, names: tuple[str, ...]) -> None:
        await self.tool.up(names, timeout=self.deadline(len(names)))
        self._addresses |= await self.tool.addresses(names)
        if lacking := [name for name in names if name not in self._addresses]:
            raise InfrastructureError(f"vagrant does not say where the ssh of {lacking[0]} is", log=self.tool.log)
