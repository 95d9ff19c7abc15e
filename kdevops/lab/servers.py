"""Guests that serve file systems to the other guests of their lab: names, addresses and disks.

Each server has its own network with fixed addresses, so that test configuration can be written before boot.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, get_args

Role = Literal["nfsd", "smbd"]
"""The kind of server: its Ansible role, its inventory group, and the suffix of its guest's name."""
ROLES: tuple[Role, ...] = get_args(Role)
MAX_CLIENTS = 12
"""Clients of one server: each needs two disks in it, and a PCI bus has 32 slots."""
EXPORTED = ("test", "scratch")
"""Exports for each client, each on its own disk."""
DISK_SIZE = 20 << 30
"""Bytes of each of these disks, sparse; fstests asks for 10 GB at least."""

_NETWORKS: dict[Role, IPv4Network] = {
    "nfsd": IPv4Network("192.168.77.0/24"),
    "smbd": IPv4Network("192.168.78.0/24"),
}
_FIRST_CLIENT = 11


def server_address(role: Role) -> str:
    """The server's address for the guests of its lab."""
    return str(_NETWORKS[role][1])


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card on a server's network. `address` includes the prefix length."""

    mac: str
    address: str


@dataclass(frozen=True, slots=True)
class Server:
    """A guest `name` that serves `clients`, guests of the same lab."""

    role: Role
    name: str
    clients: tuple[str, ...]

    @property
    def disks(self) -> tuple[int, ...]:
        """Bytes of each of its disks, grouped by client."""
        return (DISK_SIZE,) * (len(EXPORTED) * len(self.clients))

    def interface(self, guest: str) -> Interface:
        """The card of `guest`, a client or the server itself."""
        host = 1 if guest == self.name else _FIRST_CLIENT + self.clients.index(guest)
        network = _NETWORKS[self.role]
        # 52:54:00 is QEMU's prefix; 6b separates these cards from the one used for ssh.
        mac = f"52:54:00:6b:{ROLES.index(self.role):02x}:{host:02x}"
        return Interface(mac, f"{network[host]}/{network.prefixlen}")

    def exports(self) -> list[dict[str, str]]:
        """Its exports, for its Ansible role: `name`, `path`, `device` and the only allowed `client`."""
        return [
            {
                "name": f"{client}-{what}",
                "path": f"/export/{client}/{what}",
                "device": f"/dev/disk/by-id/virtio-kd-{number * len(EXPORTED) + index}",
                "client": self.interface(client).address.partition("/")[0],
            }
            for number, client in enumerate(self.clients)
            for index, what in enumerate(EXPORTED)
        ]
