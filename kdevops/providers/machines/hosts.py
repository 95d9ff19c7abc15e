"""Existing machines by address; nothing is created or removed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import wait_for_banner
from kdevops.lab.hosts import Host, Hosts
from kdevops.lab.model import Lab
from kdevops.providers.address import Address

_GREETING = 5.0
"""Seconds for the ssh server of a healthy machine to greet."""


@dataclass(frozen=True, slots=True)
class HostMachines:
    """The machines that a lab names, in the order of its guests."""

    lab: Lab

    @property
    def why(self) -> str:
        """How many there are."""
        count = len(self._hosts.hosts)
        return f"{count} machine{'s' if count > 1 else ''} that exist{'s' if count == 1 else ''}"

    async def preflight(self, names: tuple[str, ...]) -> None:
        """As `start`, which makes nothing."""
        await self.start(names)

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Address]:
        """The machines with an ssh greeting, or with a reset command. Raises InfrastructureError if there are none."""
        addresses = {name: address for name, address in self.known().items() if name in names}
        greets = await asyncio.gather(*(self._greets(address) for address in addresses.values()))
        usable = {
            name: address for (name, address), up in zip(addresses.items(), greets, strict=True) if up or address.reset
        }
        if names and not usable:
            address = addresses[names[0]]
            raise InfrastructureError(
                f"guest {names[0]} is {address.host} port {address.port}, and no ssh server answers there",
                hint="start the machine, or name a command that resets it as `reset` of the machine in provider.hosts",
            )
        return usable

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        """Nothing: they are not ours."""

    async def states(self) -> Mapping[str, str]:
        """ "running" if an ssh server greets."""
        addresses = self.known()
        greets = await asyncio.gather(*(self._greets(address) for address in addresses.values()))
        return {name: "running" if up else "no answer" for name, up in zip(addresses, greets, strict=True)}

    def known(self) -> Mapping[str, Address]:
        """All machines, as the lab names them."""
        return dict(zip(self.lab.guest_names(), map(_address, self._hosts.hosts), strict=True))

    def command_lines(self) -> Mapping[str, list[str]]:
        """The address of each; they were not created by us."""
        return {name: [f"ssh://{address.user}@{address.identity}"] for name, address in self.known().items()}

    @property
    def _hosts(self) -> Hosts:
        return self.lab.provider_as(Hosts)

    async def _greets(self, address: Address) -> bool:
        seconds = _GREETING * self._hosts.slowness
        return await wait_for_banner(address.host, address.port, timeout=seconds, gone=lambda: False)


def _address(host: Host) -> Address:
    address = host.address.strip("[]")
    return Address(
        host=address,
        port=host.port,
        user=host.user,
        key=host.key,
        host_key=host.host_key or "",
        identity=f"{address}:{host.port}",
        disks=host.disks,
        reset=host.reset,
        console=host.console,
        console_streams=bool(host.console),
    )
