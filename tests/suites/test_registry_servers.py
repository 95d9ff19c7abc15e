"""Which guests of a lab serve the others, and what is refused before anything starts."""

from __future__ import annotations

import pytest

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.suites.registry import guest_needs, servers_of


def lab(*profiles: str, count: int = 2) -> Lab:
    suites = {"fstests": {"profiles": list(profiles)}} if profiles else {}
    return Lab.model_validate({"name": "lab", "guests": {"count": count}, "suites": suites})


@pytest.mark.parametrize(
    ("profiles", "names"),
    [
        ((), []),
        (("xfs_crc", "tmpfs_default"), []),
        (("nfs_v42", "nfs_v41"), ["lab-nfsd"]),
        (("xfs_crc", "cifs_smb3", "nfs_v3"), ["lab-smbd", "lab-nfsd"]),
    ],
)
def test_each_role_is_one_guest(profiles: tuple[str, ...], names: list[str]) -> None:
    servers = servers_of(lab(*profiles))
    assert [server.name for server in servers] == names
    assert all(server.clients == ("lab-1", "lab-2") for server in servers)


@pytest.mark.parametrize(
    ("profile", "lacks"), [("nfs_rdma", "RDMA"), ("nfs_tls", "certificates"), ("nfs_pnfs", "pnfs")]
)
def test_what_no_server_can_do_is_refused_with_the_reason(profile: str, lacks: str) -> None:
    with pytest.raises(UserError, match=f"{profile}: needs .*{lacks}"):
        servers_of(lab("nfs_v42", profile))


def test_a_server_has_so_many_clients_and_no_more() -> None:
    assert servers_of(lab("nfs_v42", count=12))
    assert not servers_of(lab("xfs_crc", count=13))
    with pytest.raises(UserError, match=r"guests\.count is 13, but nfsd serves 12"):
        servers_of(lab("nfs_v42", count=13))


def test_the_image_has_what_the_servers_are_made_of() -> None:
    packages = guest_needs(lab("nfs_v42", "cifs_smb3")).packages
    assert {"nfs-kernel-server", "nfs-common", "samba", "cifs-utils"} <= set(packages)
    assert not {"nfs-kernel-server", "samba"} & set(guest_needs(lab("xfs_crc")).packages)
