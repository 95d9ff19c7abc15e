"""What a lab may say of machines that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kdevops.lab.hosts import Hosts
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab
from kdevops.paths import data_dir

DISK = "/dev/disk/by-id/wwn-1"


def lab(*hosts: dict[str, Any], guests: dict[str, Any] | None = None, **provider: Any) -> Lab:
    said = {"name": "rack", "provider": {"type": "hosts", "hosts": list(hosts), **provider}}
    return Lab.model_validate(said | ({"guests": guests} if guests else {}))


def test_there_are_as_many_guests_as_machines() -> None:
    found = lab({"address": "192.0.2.1"}, {"address": "192.0.2.2"})
    assert found.guest_names() == ("rack-1", "rack-2")


@pytest.mark.parametrize("address", ["192.0.2.1", "::1", "[2001:db8::7]", "fe80::1%eth0", "node-1.example.net"])
def test_addresses(address: str) -> None:
    provider = lab({"address": address}).provider
    assert isinstance(provider, Hosts)
    assert provider.hosts[0].address == address


@pytest.mark.parametrize("address", ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a" * 300, "a\nb"])
def test_what_ssh_would_take_for_something_else_is_no_address(address: str) -> None:
    with pytest.raises(ValidationError):
        lab({"address": address})


@pytest.mark.parametrize(
    "host",
    [
        {"user": "-l"},
        {"user": "Me"},
        {"host_key": "ssh-rsa AAAA"},
        {"host_key": "ssh-ed25519 AAAA"},
        {"disks": ["sdb"]},
        {"disks": ["/dev/sdb; reboot"]},
        {"port": 0},
        {"password": "x"},
    ],
)
def test_bad_fields_are_refused(host: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        lab({"address": "192.0.2.1", **host}, scratch=True)


@pytest.mark.parametrize("slowness", [0, 0.5, -1, 101, "fast", float("inf")])
def test_machines_are_not_faster_than_themselves(slowness: object) -> None:
    with pytest.raises(ValidationError):
        lab({"address": "192.0.2.1"}, slowness=slowness)


def test_disks_are_wiped_only_with_a_word_that_says_so() -> None:
    with pytest.raises(ValidationError, match="scratch: true"):
        lab({"address": "192.0.2.1", "disks": [DISK]}, guests={"disks": [{"size": "1GiB"}]})
    with pytest.raises(ValidationError, match="with scratch: true"):
        lab({"address": "192.0.2.1"}, guests={"disks": [{"size": "1GiB"}]})
    both = lab({"address": "192.0.2.1", "disks": [DISK]}, guests={"disks": [{"size": "1GiB"}]}, scratch=True)
    assert both.guests.disks


def test_the_template_is_valid_and_harmless() -> None:
    found = load_lab(Path(data_dir("labs")) / "hosts.yaml").lab
    assert isinstance(found.provider, Hosts)
    assert not found.provider.scratch
    assert found.guests.count == 2
    assert all(host.address.startswith("192.0.2.") for host in found.provider.hosts)
