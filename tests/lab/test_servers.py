from __future__ import annotations

from ipaddress import ip_interface

import pytest
from pydantic import ValidationError

from kdevops.lab.fstests import Profile
from kdevops.lab.servers import MAX_CLIENTS, ROLES, Server, server_address

CLIENTS = tuple(f"lab-{number}" for number in range(1, MAX_CLIENTS + 1))
SERVERS = [Server(role, f"lab-{role}", CLIENTS) for role in ROLES]


def test_no_two_cards_of_a_lab_are_alike() -> None:
    cards = [server.interface(guest) for server in SERVERS for guest in (server.name, *CLIENTS)]
    assert len({card.mac for card in cards}) == len({card.address for card in cards}) == len(cards)


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_and_its_clients_are_on_one_network_of_their_own(server: Server) -> None:
    networks = {ip_interface(server.interface(guest).address).network for guest in (server.name, *CLIENTS)}
    assert len(networks) == 1
    assert networks.pop().is_private
    assert server.interface(server.name).address.startswith(f"{server_address(server.role)}/")


@pytest.mark.parametrize("server", SERVERS)
def test_every_client_has_disks_of_its_own(server: Server) -> None:
    exports = server.exports()
    assert len(exports) == len(server.disks) == 2 * len(CLIENTS)
    for key in ("device", "path", "name"):
        assert len({export[key] for export in exports}) == len(exports)
    assert {export["client"] for export in exports if export["path"].startswith("/export/lab-2/")} == {
        server.interface("lab-2").address.partition("/")[0]
    }


@pytest.mark.parametrize(
    ("fs", "server", "found"),
    [("nfs", None, "needs server: nfsd"), ("cifs", "nfsd", "needs server: smbd"), ("xfs", "nfsd", "needs no server")],
)
def test_a_profile_has_the_server_of_its_file_system(fs: str, server: str | None, found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        Profile.model_validate({"fs": fs, "server": server})
