"""Modules of clouds whose providers are not here, in the real Terraform over a stub with the providers' own schemas.

What the modules mean to a cloud is not seen here; that they say what its provider understands is.
"""

from __future__ import annotations

import ipaddress
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jmespath
import pytest
import stub
from terraform_tool import LAB, MODULES, SECONDS, Workspace, tool

from kdevops.lab.load import load_lab
from kdevops.providers.terraform_file import values_of
from kdevops.providers.terraform_outputs import read
from kdevops.providers.terraform_plan import summarise

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stub")]

SCHEMAS = Path(__file__).parent / "schemas"
DISKS = [50, 64]
OWN: dict[str, dict[str, Any]] = {
    "azure": {},
    "gce": {},
    "oci": {"compartment_id": "ocid1.compartment.oc1..aaaa"},
    "openstack": {"instance_type": "m1.medium"},
}
"""Of each cloud: the variables that it cannot do without."""
MACHINES = {
    "azure": "azurerm_linux_virtual_machine",
    "gce": "google_compute_instance",
    "oci": "oci_core_instance",
    "openstack": "openstack_compute_instance_v2",
}
FORMS = {
    "azure": {"state": "--output tsv", "console": "--output tsv"},
    "gce": {"state": "--format value(status)", "console": "--format value[no-quote](contents)"},
    "oci": {"state": "--output json", "console": ""},
    "openstack": {"state": "-f value", "console": ""},
}
"""Of each cloud: what makes the state one word and the console text. OpenStack's console is never put into any form."""
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
    ("azure", {"allowed_cidrs": ["2001:db8::/64"]}, "one range of IPv4"),
    ("azure", {"subscription_id": "mine"}, "is a UUID"),
    ("azure", {"spot": True, "resource_group": "team"}, "leaves its root disk behind"),
    ("oci", {"compartment_id": "mine"}, "ocid1.compartment"),
    ("oci", {"disks": [50, 20]}, "50 GiB at least, and one of 20"),
    ("oci", {"zone": "AD-9"}, "no availability domain AD-9"),
    ("oci", {"allowed_cidrs": ["2001:db8::/64"]}, "one range of IPv4"),
    ("openstack", {"instance_type": ""}, "say an instance_type"),
    ("openstack", {"spot": True}, "has no spot machines"),
    ("openstack", {"allowed_cidrs": ["2001:db8::/64"]}, "one range of IPv4"),
    ("openstack", {"image_pattern": "("}, "no regular expression"),
    ("openstack", {"disk_path": "/dev/sdb"}, "one %s for its id"),
]


class Attached:
    """A module's copy that may be spoilt, with the stub in this process: an answer takes a fraction of a second."""

    def __init__(self, directory: Path, cloud: str, environment: dict[str, str]) -> None:
        self.cloud, self.tool, self.module = cloud, tool(), directory / "module"
        shutil.copytree(MODULES / cloud, self.module)
        self.environment = {
            "HOME": str(directory),
            "TF_CLI_CONFIG_FILE": "/dev/null",
            "CHECKPOINT_DISABLE": "1",
            **environment,
        }

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was printed for programs."""
        done = subprocess.run(
            [self.tool, *words],
            check=False,
            cwd=self.module,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return done.returncode, done.stdout

    def errors(self, file: str, old: str, new: str) -> list[dict[str, Any]]:
        """What `validate` says against the module with another text in one place."""
        text = (MODULES / self.cloud / file).read_text()
        assert text.count(old) == 1, old
        (self.module / file).write_text(text.replace(old, new))
        _, answer = self.run("validate", "-json")
        (self.module / file).write_text(text)
        return [each for each in json.loads(answer)["diagnostics"] if each["severity"] == "error"]

    def write(self, variables: dict[str, Any]) -> list[str]:
        """Set the variables, one in each line from the second on; gives their names."""
        named = {**LAB, **OWN[self.cloud], **variables}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in named.items())
        (self.module / "terraform.tfvars.json").write_text(f"{{\n{lines}\n}}\n")
        return list(named)

    def refusals(self, **variables: Any) -> list[dict[str, Any]]:
        """What a plan with these variables is refused for."""
        self.write(variables)
        code, answer = self.run("plan", "-json")
        events = [json.loads(line) for line in answer.splitlines()]
        found = [event["diagnostic"] for event in events if event.get("@level") == "error"]
        assert bool(found) == (code != 0), answer
        return found

    def refused(self, **variables: Any) -> set[str]:
        """Of which variables the values are refused."""
        names = self.write(variables)
        ranges = [error["range"] for error in self.refusals(**variables)]
        return {names[each["start"]["line"] - 2] for each in ranges if each["filename"] == "terraform.tfvars.json"}

    def planned(self, **variables: Any) -> dict[str, dict[str, Any]]:
        """What would be made with these variables, by address."""
        return {address: change["after"] for address, change in self._changes(variables).items()}

    def actions(self, **variables: Any) -> dict[str, list[str]]:
        """What would be done with these variables to what there is, by address."""
        return {address: change["actions"] for address, change in self._changes(variables).items()}

    def shown(self, **variables: Any) -> dict[str, Any]:
        """A plan with these variables, as Terraform shows it to programs."""
        self.write(variables)
        code, answer = self.run("plan", "-out", "plan", "-no-color")
        assert code == 0, answer
        shown: dict[str, Any] = json.loads(self.run("show", "-json", "plan")[1])
        return shown

    def _changes(self, variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
        changes = self.shown(**variables)["resource_changes"]
        return {change["address"]: change["change"] for change in changes if change["mode"] == "managed"}

    @contextmanager
    def applied(self, **variables: Any) -> Iterator[dict[str, Any]]:
        """The outputs, as long as what these variables ask for is there."""
        self.write(variables)
        code, answer = self.run("apply", "-auto-approve", "-no-color")
        assert code == 0, answer
        try:
            yield {name: each["value"] for name, each in json.loads(self.run("output", "-json")[1]).items()}
        finally:
            self.state.unlink()

    @property
    def state(self) -> Path:
        """Where Terraform keeps what there is; the stub keeps nothing."""
        return self.module / "terraform.tfstate"


@pytest.fixture(scope="module", params=OWN)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def attached(cloud: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    tool()
    with stub.listening(SCHEMAS / f"{cloud}.json") as environment:
        yield Attached(tmp_path_factory.mktemp(cloud), cloud, environment)


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
