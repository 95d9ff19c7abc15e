"""Guests that serve file systems to the others of their lab: their names, addresses and disks.

Each server has a network of its own to those it serves, with addresses by number, so that who writes the configuration of
the tests knows them before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, get_args

Role = Literal["nfsd", "smbd"]
"""What a server is: the name of its Ansible role, of its group in the inventory, and the end of its guest's name."""
ROLES: tuple[Role, ...] = get_args(Role)
MAX_CLIENTS = 12
"""Guests of one server: each has two disks there, and a PCI bus has 32 slots."""
EXPORTED = ("test", "scratch")
"""What each guest is served, on a disk of its own."""
DISK_SIZE = 20 << 30
"""Bytes of each of these disks, sparse; fstests asks for 10 GB at least."""

_NETWORKS: dict[Role, IPv4Network] = {
    "nfsd": IPv4Network("192.168.77.0/24"),
    "smbd": IPv4Network("192.168.78.0/24"),
}
_FIRST_CLIENT = 11


def server_address(role: Role) -> str:
    """The address at which guests of a lab find this server of theirs."""
    return str(_NETWORKS[role][1])


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card on the network of a server. `address` has its prefix length."""

    mac: str
    address: str


@dataclass(frozen=True, slots=True)
class Server:
    """One guest that serves `clients`, guests of the same lab; `name` is its own."""

    role: Role
    name: str
    clients: tuple[str, ...]

    @property
    def disks(self) -> tuple[int, ...]:
        """Bytes of each of its disks: those of a client stand side by side."""
        return (DISK_SIZE,) * (len(EXPORTED) * len(self.clients))

    def interface(self, guest: str) -> Interface:
        """The card of `guest`, a client or the server itself."""
        host = 1 if guest == self.name else _FIRST_CLIENT + self.clients.index(guest)
        network = _NETWORKS[self.role]
        # 52:54:00 is QEMU's own; the third byte after it sets these cards apart from the one that ssh comes through.
        mac = f"52:54:00:6b:{ROLES.index(self.role):02x}:{host:02x}"
        return Interface(mac, f"{network[host]}/{network.prefixlen}")

    def exports(self) -> list[dict[str, str]]:
        """What it serves, for its Ansible role: each with `name`, `path`, `device` and the `client` it is for alone."""
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
