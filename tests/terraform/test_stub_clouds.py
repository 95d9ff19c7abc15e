"""Modules of clouds whose providers are not here, in the real Terraform over a stub with the providers' own schemas.

What the modules mean to a cloud is not seen here; that they say what its provider understands is.
"""

from __future__ import annotations

import ipaddress
import json
import platform
import re
from pathlib import Path
from typing import Any

import pytest

from kdevops.providers.terraform.outputs import read
from tests.terraform import attached_stub, stub
from tests.terraform.attached_stub import DISKS, MACHINES, OWN, SCHEMAS, Attached
from tests.terraform.tool import LAB, MODULES, Workspace

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stub")]

cloud, attached = attached_stub.cloud, attached_stub.attached  # fixtures

FORMS = {
    "azure": {"state": "--output tsv", "console": "--output tsv"},
    "gce": {"state": "--format value(status)", "console": "--format value[no-quote](contents)"},
    "oci": {"state": "--output json", "console": ""},
    "openstack": {"state": "-f value", "console": ""},
}
"""Of each cloud: what makes the state one word and the console text. OpenStack's console is never put into any form."""
BODY = re.compile(r'^(?:resource|data) "(\w+)" "(\w+)" (\{\n.*?^\}\n)', re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r"^  (\w+)( +)= (.+)$", re.MULTILINE)
META = {"count", "for_each", "depends_on", "provider"}
# Of each shared variable: what must be refused. One of each goes into a plan, and each must be named by an error.
BAD: dict[str, list[Any]] = {
    "lab": ["", "Demo", "demo\n}", "a" * 33, '${file("/etc/passwd")}'],
    "kdevops_nodes": [["-x"], [""], ["a b"], ["demo-1", "x" * 61], ["${var.lab}"]],
    "owner": ["", "a b", "a\nb", '"', "-f"],
    "expires": ["", "tomorrow", "2030-01-31", "2030-01-31T23:59:59+01:00", "2030-13-31T23:59:59Z"],
    "region": ["a b", "-r", "$(id)", '"', "a;b"],
    "zone": ["a b", "-z", "$(id)", '"', "a;b"],
    "instance_type": ["a b", "-i", "$(id)", '"', "a;b"],
    "architecture": ["", "amd64", "arm64", "riscv64", "X86_64"],
    "image": ["a b", "-i", "$(id)", '"', "a;b"],
    "root_size": [0, 7, -30, 20.5],
    "disks": [[0], [-1], [10, 2.5], [None]],
    "ssh_public_key": [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA\nssh-ed25519 BBBB",
        "root:x",
        'command="id" ssh-ed25519 AAAA',
    ],
    "allowed_cidrs": [
        [],
        ["0.0.0.0/0"],
        ["::/0"],
        ["192.0.2.7/32", "0.0.0.0/0"],
        ["192.0.2.7/24"],
        ["here"],
        ["10.0.0.1"],
    ],
}
WRONG_TYPES: dict[str, Any] = {
    "kdevops_nodes": "demo-1",
    "root_size": "big",
    "disks": 3,
    "allowed_cidrs": "192.0.2.7",
    "spot": "no",
}
# What one cloud refuses, and the words for it.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("azure", {"image": "Debian:debian-12"}, "PUBLISHER:OFFER:SKU:VERSION"),
    ("azure", {"allowed_cidrs": ["2001:db8::/64"]}, "one IPv4 range"),
    ("azure", {"subscription_id": "mine"}, "must be a UUID"),
    ("azure", {"spot": True, "resource_group": "team"}, "its root disk would stay"),
    ("oci", {"compartment_id": "mine"}, "ocid1.compartment"),
    ("oci", {"disks": [50, 20]}, "at least 50 GiB, but one of 20"),
    ("oci", {"zone": "AD-9"}, "no availability domain AD-9"),
    ("oci", {"allowed_cidrs": ["2001:db8::/64"]}, "one IPv4 range"),
    ("openstack", {"instance_type": ""}, "set an instance_type"),
    ("openstack", {"spot": True}, "has no spot machines"),
    ("openstack", {"allowed_cidrs": ["2001:db8::/64"]}, "one IPv4 range"),
    ("openstack", {"image_pattern": "("}, "not a regular expression"),
    ("openstack", {"disk_path": "/dev/sdb"}, "contains %s once"),
]


def bodies(cloud: str) -> list[tuple[str, str, str, str]]:
    """A module's resources and data sources: file, type, name, and the text between the braces."""
    return [
        (path.name, *found)
        for path in sorted((MODULES / cloud).glob("*.tf"))
        for found in BODY.findall(path.read_text())
        if found[0] != "terraform_data"
    ]


def schema(cloud: str, kind: str) -> dict[str, Any]:
    """The schema of a resource or a data source."""
    _, content = stub.load(SCHEMAS / f"{cloud}.json")
    found: dict[str, Any] = (content["resource_schemas"].get(kind) or content["data_source_schemas"][kind])["block"]
    return found


@pytest.mark.parametrize("cloud", OWN)
def test_schema_is_of_what_the_module_has(cloud: str) -> None:
    _, content = stub.load(SCHEMAS / f"{cloud}.json")
    served = {*content["resource_schemas"], *content["data_source_schemas"]}
    assert served == {kind for _, kind, _, _ in bodies(cloud)}, "cut the schema anew: cut_schema.py says how"


def test_machines_are_made_and_given_back(cloud: str, tmp_path: Path) -> None:
    """All steps with the stub as a program of its own, as Terraform runs a provider."""
    version = json.loads((SCHEMAS / f"{cloud}.json").read_text())["version"]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    stub.install(SCHEMAS / f"{cloud}.json", tmp_path / "mirror", version, f"{platform.system().lower()}_{machine}")
    workspace = Workspace(tmp_path, MODULES / cloud, tmp_path / "mirror")
    workspace.run("validate")
    outputs = workspace.apply(**OWN[cloud], disks=DISKS)

    # kdevops itself reads them, strictly.
    places, where = read(outputs, LAB["kdevops_nodes"], disks=len(DISKS), own_module=False)
    assert places.keys() == set(LAB["kdevops_nodes"])
    assert len({place.identity for place in places.values()}) == len(places)
    for place in places.values():
        assert ipaddress.ip_address(place.host)
        assert place.port == 22
        assert len(set(place.disks)) == len(DISKS)
        assert all(place.reset)
        assert all(place.state)
        assert bool(place.console) == (cloud != "oci")
    assert where.split()[0] == cloud
    assert len(where.split()) > 1

    assert workspace.plan(**OWN[cloud], disks=DISKS) == {}
    # A machine more touches no other.
    more = workspace.plan(**OWN[cloud], disks=DISKS, kdevops_nodes=["demo-1", "demo-2", "demo-3"])
    assert set(more.values()) == {"create"}
    assert all("demo-3" in address for address in more)
    workspace.run("destroy", "-no-color", "-auto-approve")
    assert workspace.run("state", "list") == ""


def test_every_wrong_name_is_refused(attached: Attached) -> None:
    """Each attribute by another name: as many errors as names, and one for each that is required."""
    for file, kind, name, body in bodies(attached.cloud):
        known = schema(attached.cloud, kind)["attributes"]
        mine = [found[0] for found in ATTRIBUTE.findall(body) if found[0] not in META]
        spoilt = ATTRIBUTE.sub(lambda found: found[0] if found[1] in META else f"  {found[1]}_x = {found[3]}", body)
        head = f'"{kind}" "{name}" '
        errors = attached.errors(file, head + body, head + spoilt)
        summaries = [error["summary"] for error in errors]
        required = [attribute for attribute in mine if known[attribute].get("required")]
        assert summaries.count("Unsupported argument") == len(mine), (kind, name, errors)
        assert summaries.count("Missing required argument") == len(required), (kind, name, errors)


def test_every_wrong_type_is_refused(attached: Attached) -> None:
    """An object in the place of each value that stands in one line."""
    for file, kind, name, body in bodies(attached.cloud):
        mine = [
            found
            for found in ATTRIBUTE.finditer(body)
            if found[1] not in META and not re.search(r"[\[({]$|<<", found[3])
        ]
        spoilt = body
        for found in reversed(mine):
            spoilt = f"{spoilt[: found.start(3)]}[{{ wrong = [true] }}]{spoilt[found.end(3) :]}"
        head = f'"{kind}" "{name}" '
        errors = attached.errors(file, head + body, head + spoilt)
        refused = [error for error in errors if error["summary"] == "Incorrect attribute value type"]
        assert len(refused) == len(mine), (kind, name, errors)


def test_unknown_types_are_refused(attached: Attached) -> None:
    file, kind, name, _ = next(each for each in bodies(attached.cloud) if each[1] == MACHINES[attached.cloud])
    errors = attached.errors(file, f'resource "{kind}" "{name}"', f'resource "{kind}s" "{name}"')
    assert "Invalid resource type" in {error["summary"] for error in errors}


def test_a_block_too_often_is_refused(attached: Attached) -> None:
    """Each block that a machine has once at most, twice."""
    file, kind, _, body = next(each for each in bodies(attached.cloud) if each[1] == MACHINES[attached.cloud])
    blocks = schema(attached.cloud, kind)["block_types"]
    once = [name for name, block in blocks.items() if block.get("max_items") == 1]
    pattern = re.compile(rf"^  ({'|'.join(once)}) \{{(?:\}}\n|\n.*?^  \}}\n)", re.MULTILINE | re.DOTALL)
    mine = pattern.findall(body)
    errors = attached.errors(file, body, pattern.sub(lambda found: found[0] * 2, body))
    assert {error["summary"] for error in errors} == {f"Too many {name} blocks" for name in mine}
    assert mine or attached.cloud == "openstack", "Nova's machines have no such block"


def test_bad_variables_are_refused(attached: Attached) -> None:
    for turn in range(max(map(len, BAD.values()))):
        bad = {name: values[turn] for name, values in BAD.items() if turn < len(values)}
        assert bad.keys() - attached.refused(**bad) == set(), bad
    assert attached.refused(**WRONG_TYPES) == WRONG_TYPES.keys()


def test_what_one_cloud_cannot_do_is_refused_with_words(attached: Attached) -> None:
    for cloud, variables, words in REFUSED:
        if cloud == attached.cloud:
            told = {error["detail"] for error in attached.refusals(**variables)}
            assert any(words in each for each in told), (variables, told)


def test_what_is_read_says_in_which_form_it_is_wanted(attached: Attached) -> None:
    """Somebody may have configured a cloud's command line to print tables."""
    words = FORMS[attached.cloud]
    with attached.applied(disks=DISKS) as outputs:
        for name, command in outputs["state_commands"].items():
            assert words["state"] in " ".join(command), name
        for name, command in outputs["console_commands"].items():
            assert words["console"] in " ".join(command), name


def test_only_those_who_may_are_let_in(attached: Attached) -> None:
    everybody = {
        address
        for address, values in attached.planned(disks=DISKS).items()
        if re.search(r'"(0\.0\.0\.0|::|0:0:.*)/0"', json.dumps(values))
    }
    out = {"oci_core_route_table.lab", "oci_core_network_security_group_security_rule.out"}
    assert everybody == (out if attached.cloud == "oci" else set())


# Google's provider has default_labels, of which its stub does not know.
@pytest.mark.parametrize("cloud", ["azure", "oci", "openstack"], indirect=True, scope="module")
def test_machines_and_disks_say_whose_they_are(attached: Attached) -> None:
    key = {"azure": "tags", "oci": "freeform_tags", "openstack": "metadata"}[attached.cloud]
    tags = {"kdevops-lab": "demo", "kdevops-owner": "ada", "kdevops-expires": "2030-01-31T23:59:59Z", "team": "fs"}
    planned = attached.planned(disks=DISKS, tags={"team": "fs"})
    machines = [values for address, values in planned.items() if address.startswith(MACHINES[attached.cloud])]
    disks = [values for address, values in planned.items() if re.search(r"_(managed_disk|volume|volume_v3)\.", address)]
    assert len(machines) == 2
    assert len(disks) == 4
    assert all(values[key] == tags for values in [*machines, *disks])
