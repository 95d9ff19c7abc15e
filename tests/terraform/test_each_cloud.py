"""What the module of one cloud makes that the others do not, in the real Terraform over a stub."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import jmespath
import pytest

from kdevops.lab.load import load_lab
from kdevops.providers.terraform.plan import summarise
from kdevops.providers.terraform.render import values_of
from tests.terraform import attached_stub
from tests.terraform.attached_stub import DISKS, MACHINES, OWN, Attached
from tests.terraform.tool import LAB, MODULES

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stub")]

cloud, attached = attached_stub.cloud, attached_stub.attached  # fixtures

NEWER = {
    "azure": [r'("version": )"latest"'],
    "gce": [r'("image": )"self_link-\w+"'],
    "oci": [r'("source_id": )"id-\w+"'],
    "openstack": [r'("uuid": )"ids-\w+"'],
}
"""Of each cloud: where its state has the image that was looked up, and before what."""
BIGGER: dict[str, list[tuple[dict[str, Any], str]]] = {
    "azure": [({"root_size": 64}, "64 GiB")],
    "oci": [({"ocpus": 2, "memory": 16}, "2 OCPUs, 16 GiB"), ({"root_size": 100}, "100 GiB")],
}
"""Of clouds that give a machine that is there another size: by which variables, and how that is told."""


def test_lab_to_begin_with_can_be_had(attached: Attached) -> None:
    lab = load_lab(MODULES.parent / f"labs/{attached.cloud}.yaml").lab
    expires = datetime(2030, 1, 31, tzinfo=UTC)
    key, allowed = LAB["ssh_public_key"], LAB["allowed_cidrs"]
    values = values_of(lab, ["demo-1"], expires=expires, public_key=key, allowed=allowed)
    if attached.cloud == "oci":
        assert attached.refused(**values) == {"compartment_id"}, "which everybody has to fill in"
        values["compartment_id"] = OWN["oci"]["compartment_id"]
    assert attached.planned(**values)


@pytest.mark.parametrize("cloud", ["azure"], indirect=True, scope="module")
@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({}, "Standard_D2as_v5"),
        ({"disks": [4] * 5}, "Standard_D4as_v5"),
        ({"disks": [4] * 9}, "Standard_D8as_v5"),
        ({"architecture": "aarch64", "spot": True}, "Standard_D2ps_v5"),
        ({"instance_type": "Standard_E2s_v5", "disks": [4] * 9}, "Standard_E2s_v5"),
    ],
)
def test_azure_machine_takes_so_many_disks(attached: Attached, variables: dict[str, Any], size: str) -> None:
    machine = attached.planned(**variables)['azurerm_linux_virtual_machine.node["demo-1"]']
    assert machine["size"] == size
    arm = variables.get("architecture") == "aarch64"
    (image,) = machine["source_image_reference"]
    assert (image["offer"], image["sku"]) == ("debian-12", "12-arm64" if arm else "12-gen2")
    spot = variables.get("spot", False)
    assert (machine["priority"], machine["eviction_policy"]) == (("Spot", "Delete") if spot else ("Regular", None))


@pytest.mark.parametrize("cloud", ["azure"], indirect=True, scope="module")
def test_azure_image_by_id_and_group_that_exists(attached: Attached) -> None:
    group = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Compute/images/z"
    planned = attached.planned(image=group, resource_group="team")
    machine = planned['azurerm_linux_virtual_machine.node["demo-1"]']
    assert (machine["source_image_id"], machine["source_image_reference"]) == (group, [])
    assert machine["resource_group_name"] == "team"
    assert "azurerm_resource_group.lab[0]" not in planned


def test_another_image_or_type_replaces_machines_and_a_newer_image_does_not(attached: Attached) -> None:
    with attached.applied() as outputs:
        machines = [f'{MACHINES[attached.cloud]}.node["{name}"]' for name in outputs["identities"]]
        for variables in ({"image": "another"}, {"architecture": "aarch64"}, {"instance_type": "another"}):
            done = attached.actions(**variables)
            assert [done[machine] for machine in machines] == [["delete", "create"]] * len(machines), variables
        # What the cloud says now of the image that the machines are of is no longer what would be chosen.
        state = attached.state.read_text()
        for old in NEWER[attached.cloud]:
            assert re.search(old, state), old
            state = re.sub(old, r'\g<1>"of-last-year"', state)
        attached.state.write_text(state)
        assert {tuple(actions) for actions in attached.actions().values()} == {("no-op",)}


def test_what_is_made_bigger_is_asked_about_and_a_later_end_is_not(attached: Attached) -> None:
    nodes = LAB["kdevops_nodes"]
    with attached.applied(disks=DISKS):
        later = summarise(attached.shown(disks=DISKS, expires="2031-01-31T23:59:59Z"), nodes, running=nodes)
        assert (later.asks, later.resizes) == (False, False), later.lines
        bigger = summarise(attached.shown(disks=[50, 128]), nodes, running=nodes)
        (line,) = bigger.lines
        assert re.fullmatch(r"resize +2 \w+_(disk|volume|volume_v3) \(128 GiB\)", line)
        assert (bigger.asks, bigger.resizes) == (True, True)
        for variables, told in BIGGER.get(attached.cloud, []):
            found = summarise(attached.shown(disks=DISKS, **variables), nodes, running=nodes)
            assert found.lines[0] == f"resize     2 {MACHINES[attached.cloud]} ({told}): {', '.join(nodes)}"
            assert found.lines[1:] == (f"{', '.join(nodes)} run now, and may be restarted by this",)
            assert found.asks


@pytest.mark.parametrize("cloud", ["gce"], indirect=True, scope="module")
@pytest.mark.parametrize(
    ("variables", "zone"),
    [
        ({"region": "asia-southeast1"}, "a"),
        ({"region": "asia-southeast1", "architecture": "aarch64"}, "b"),
        ({"zone": "asia-southeast1-c", "architecture": "aarch64"}, "c"),
        ({"region": "asia-southeast1", "architecture": "aarch64", "instance_type": "c4a-standard-1"}, "a"),
        ({"region": "us-central1", "architecture": "aarch64"}, "a"),
        ({"region": "europe-west1", "architecture": "aarch64"}, "a"),  # nowhere, which Google says
        ({}, "a"),
        ({"architecture": "aarch64"}, "b"),
    ],
)
def test_gce_machine_is_where_there_are_such(attached: Attached, variables: dict[str, Any], zone: str) -> None:
    region = variables.get("region", "asia-southeast1")
    there = attached.module / "there_override.tf.json"
    known = {"zones_there": [f"{region}-{letter}" for letter in "cba"]}
    if not variables.get("region") and not variables.get("zone"):  # then the user's settings count
        known |= {"region": region, "zone_of_user": f"{region}-a"}
    there.write_text(json.dumps({"locals": known}))
    try:
        planned = attached.planned(**variables, disks=DISKS)
    finally:
        there.unlink()
    zones = {values["zone"] for address, values in planned.items() if re.search(r"_(instance|disk)\.", address)}
    assert zones - {None} == {f"{region}-{zone}"}


@pytest.mark.parametrize("cloud", ["oci"], indirect=True, scope="module")
def test_oci_machine_is_flexible_and_preemptible(attached: Attached) -> None:
    machine = attached.planned(spot=True, root_size=30)['oci_core_instance.node["demo-1"]']
    assert machine["preemptible_instance_config"] == [
        {"preemption_action": [{"preserve_boot_volume": False, "type": "TERMINATE"}]}
    ]
    assert machine["shape_config"] == [{"memory_in_gbs": 8, "ocpus": 1}]
    assert machine["source_details"][0]["boot_volume_size_in_gbs"] == "50"
    fixed = attached.planned(instance_type="VM.Standard2.1", disks=[50] * 32)
    assert fixed['oci_core_instance.node["demo-1"]']["shape_config"] == []
    assert fixed['oci_core_volume_attachment.disk["demo-1-disk-31"]']["device"] == "/dev/oracleoci/oraclevdag"


@pytest.mark.parametrize("cloud", ["oci"], indirect=True, scope="module")
def test_oci_machine_has_a_network_card_that_a_kernel_of_ours_drives(attached: Attached) -> None:
    for shape, options in (
        ("", [{"network_type": "PARAVIRTUALIZED"}]),
        ("VM.Standard.A1.Flex", [{"network_type": "PARAVIRTUALIZED"}]),
        ("BM.Standard.E4.128", []),
    ):
        machine = attached.planned(instance_type=shape)['oci_core_instance.node["demo-1"]']
        assert machine["launch_options"] == options, shape


@pytest.mark.parametrize("cloud", ["openstack"], indirect=True, scope="module")
def test_openstack_network_that_exists(attached: Attached) -> None:
    planned = attached.planned(network="provider-net")
    assert not [address for address in planned if re.search("floatingip|router|subnet|network_v2", address)]
    assert 'openstack_networking_port_v2.node["demo-1"]' in planned


@pytest.mark.parametrize(
    ("codes", "word"),
    [
        (["ProvisioningState/succeeded", "PowerState/running"], "running"),
        (["ProvisioningState/updating", "PowerState/starting"], "running"),
        (["ProvisioningState/succeeded", "PowerState/deallocated"], None),
        ([], None),
    ],
)
def test_azure_state_is_one_word(codes: list[str], word: str | None) -> None:
    (query,) = re.findall(r'"--query", "([^"]+)"', (MODULES / "azure/main.tf").read_text())
    assert jmespath.search(query, {"instanceView": {"statuses": [{"code": code} for code in codes]}}) == word


@pytest.mark.parametrize(
    ("state", "word"), [("RUNNING", "RUNNING"), ("STARTING", "RUNNING"), ("TERMINATED", "TERMINATED")]
)
def test_oci_state_is_one_word(state: str, word: str) -> None:
    (query,) = re.findall(r'^  state = "(.+)"$', (MODULES / "oci/main.tf").read_text(), re.MULTILINE)
    assert jmespath.search(query.replace('\\"', '"'), {"data": {"lifecycle-state": state}}) == word
