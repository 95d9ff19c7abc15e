"""What a module says of its machines is believed only as far as it keeps to the contract."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.providers.terraform.outputs import read

GOOD: dict[str, Any] = {
    "controller_ip_map": {"x-1": "192.0.2.7"},
    "ssh_ports": {"x-1": 22},
    "identities": {"x-1": "i-0123"},
    "disks": {"x-1": ["/dev/disk/by-id/a", "/dev/sdb"]},
    "console_commands": {"x-1": []},
    "reset_commands": {"x-1": ["aws", "ec2", "reboot"]},
    "state_commands": {"x-1": ["aws", "--query", "a b"]},
    "summary": "aws eu-central-1",
    "more": {"is": "ignored"},
}


def test_the_machines_come_out() -> None:
    places, where = read(GOOD, ["x-1"], disks=2, own_module=False)
    assert where == "aws eu-central-1"
    place = places["x-1"]
    assert (place.host, place.port, place.identity) == ("192.0.2.7", 22, "i-0123")
    assert (place.disks, place.console, place.state) == (
        ("/dev/disk/by-id/a", "/dev/sdb"), (), ("aws", "--query", "a b")
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"controller_ip_map": {"x-1": "-oProxyCommand=evil"}},
        {"controller_ip_map": {"x-1": ""}},
        {"controller_ip_map": {"x-1": None}},
        {"controller_ip_map": {}},
        {"controller_ip_map": None},
        {"ssh_ports": {"x-1": "22"}},
        {"ssh_ports": {"x-1": 70000}},
        {"disks": {"x-1": ["/dev/sda"]}},
        {"disks": {"x-1": ["/etc/passwd", "/dev/sdb"]}},
        {"state_commands": {"x-1": "a string"}},
        {"state_commands": {"x-1": ["a\0b"]}},
        {"reset_commands": {"x-1": ["a"] * 1000}},
        {"console_commands": {"x-1": ["a" * 100_000]}},
        {"identities": {"x-1": "a" * 10_000}},
        {"summary": 3},
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_what_is_not_of_the_contract_is_refused(changes: dict[str, Any], own: bool) -> None:
    with pytest.raises(UserError if own else InfrastructureError, match="do not match the contract") as error:
        read({**GOOD, **changes}, ["x-1"], disks=2, own_module=own)
    assert len(error.value.message) < 500
    assert error.value.hint
    assert "kdevops down" in error.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.just("x-1") | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JSON))
def test_any_outputs_are_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        places, where = read({**GOOD, **changes}, ["x-1"], disks=2, own_module=False)
    except KdevopsError:
        return
    assert not places["x-1"].host.startswith("-")
    assert all(path.startswith("/dev/") for path in places["x-1"].disks)
    assert len(where) <= 100
