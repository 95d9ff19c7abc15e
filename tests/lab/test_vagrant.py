"""What a lab may say of Vagrant: what Vagrant or ssh would take for something else is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kdevops.lab.model import Lab, Qemu
from kdevops.lab.vagrant import Vagrant


def provider(**fields: Any) -> Qemu | Vagrant:
    return Lab.model_validate({"name": "lab", "provider": fields}).provider


@pytest.mark.parametrize(
    "uri",
    [
        "qemu:///system",
        "qemu:///session",
        "qemu+ssh://me@host.example:22/system?no_verify=1",
        "qemu+tls://[fe80::1]/system",
    ],
)
def test_hypervisors_are_uris_of_libvirt(uri: str) -> None:
    given = provider(type="vagrant", hypervisors=[uri])
    assert isinstance(given, Vagrant)
    assert given.hypervisors == (uri,)


@pytest.mark.parametrize(
    "uri", ["", "xen:///", "qemu+ssh://-oProxyCommand=x/system", "qemu+ssh://me@-x/system", "qemu:///system; true"]
)
def test_what_ssh_would_take_for_an_option_is_no_hypervisor(uri: str) -> None:
    with pytest.raises(ValidationError):
        provider(type="vagrant", hypervisors=[uri])


@pytest.mark.parametrize(
    "fields",
    [
        {"hypervisors": []},
        {"box_url": "https://example.org/a.box"},
        {"backend": "virtualbox", "accel": "kvm"},
        {"box": "a'b"},
        {"pool": "a b"},
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        provider(type="vagrant", **fields)


def test_without_a_type_it_is_the_embedded_one() -> None:
    assert isinstance(provider(accel="tcg"), Qemu)
    assert isinstance(Lab(name="lab").provider, Qemu)
