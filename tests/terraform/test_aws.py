"""The module of AWS with Amazon's own provider and its own command line, in moto's imitation of EC2: from up to down.

Nobody is at the addresses that moto's machines have, so that `kdevops up` ends where it would log in.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_line import Answer, Kdevops
from tests.terraform.tool import LAB, MODULES, Root, Workspace, home, mirror_of

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("aws")]

REGION = "eu-central-1"
DEBIAN = "136693071363"
SIZES = [20, 10]
NAMES = LAB["kdevops_nodes"]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


def a_mirror() -> Path:
    return mirror_of("hashicorp/aws", "5.*")


def tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


class Account:
    """What an account at moto's server has, as boto3 sees it."""

    def __init__(self, url: str) -> None:
        import boto3

        keys = {name.lower(): value for name, value in CREDENTIALS.items()}
        self.ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=url, **keys)

    def instances(self) -> dict[str, dict[str, Any]]:
        """The machines that are not gone, by name."""
        found = [each for one in self.ec2.describe_instances()["Reservations"] for each in one["Instances"]]
        return {tags(each)["Name"]: each for each in found if each["State"]["Name"] != "terminated"}

    def everything(self) -> dict[str, list[str]]:
        """The ids of all that costs or is in the way."""
        ec2 = self.ec2
        return {
            "instances": sorted(each["InstanceId"] for each in self.instances().values()),
            "volumes": sorted(each["VolumeId"] for each in ec2.describe_volumes()["Volumes"]),
            "keys": sorted(each["KeyPairId"] for each in ec2.describe_key_pairs()["KeyPairs"]),
            "networks": sorted(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]),
            "subnets": sorted(each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]),
            "gateways": sorted(
                each["InternetGatewayId"] for each in ec2.describe_internet_gateways()["InternetGateways"]
            ),
            "tables": sorted(each["RouteTableId"] for each in ec2.describe_route_tables()["RouteTables"]),
            "groups": sorted(each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]),
        }

    def register_image(self, name: str, owner: str, architecture: str = "x86_64") -> str:
        """Have an image as if `owner` had made it on the day in its name. moto also loses what processor it is for."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.ec2.models import ec2_backends

        identity: str = self.ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        image = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].amis[identity]
        image.owner_id, image.architecture = owner, architecture
        image.creation_date = datetime.strptime(name.split("-")[-2], "%Y%m%d").replace(tzinfo=UTC)
        return identity


@dataclass
class Lab:
    """A lab whose machines were made, and the account that it is in."""

    kdevops: Kdevops
    path: Path
    account: Account
    before: dict[str, list[str]]
    image: str
    up: Answer

    @property
    def root(self) -> Root:
        """Where Terraform works, as the command left it."""
        module = self.kdevops.state / "labs/demo/terraform"
        values = json.loads((module / "terraform.tfvars.json").read_text())
        return Root(module, dict(self.kdevops.environment), values)

    def places(self) -> dict[str, dict[str, Any]]:
        """What is remembered of the machines."""
        found: dict[str, Any] = json.loads((self.kdevops.state / "labs/demo/terraform.json").read_text())
        places: dict[str, dict[str, Any]] = found["places"]
        return places

    def run(self, name: str, command: str) -> str:
        """What a command of the module's prints, run as kdevops does."""
        argv, environment = self.places()[name][command], self.kdevops.environment
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    from moto.ec2.models import elastic_network_interfaces
    from moto.ec2.models.instances import InstanceBackend
    from moto.server import ThreadedMotoServer

    change_groups = InstanceBackend.modify_instance_security_groups

    def change_groups_if_any(self: InstanceBackend, instance: str, groups: list[str]) -> None:
        # moto takes every change of an attribute that it does not know, such as the shutdown behaviour, for one of these.
        if groups:
            change_groups(self, instance, groups)

    numbers = itertools.count(1)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            patch.delenv(name)
        patch.setattr(InstanceBackend, "modify_instance_security_groups", change_groups_if_any)
        # moto's own choice is somebody's machine; these are nobody's.
        patch.setattr(elastic_network_interfaces, "random_public_ip", lambda: f"192.0.2.{next(numbers)}")
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(scope="module")
def lab(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two machines with two disks each."""
    if platform.machine() != "x86_64":
        pytest.skip("the machines have processors of x86_64, as this one would need to have")
    directory = tmp_path_factory.mktemp("aws")
    environment = {
        **home(directory, a_mirror()),
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": aws,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # The cloud's own command line is among our own tools.
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "KDEVOPS_CACHE": str(directory / "cache"),
    }
    kdevops = Kdevops(directory / "state", environment)
    account = Account(aws)
    account.register_image("debian-12-amd64-20290101-1", DEBIAN)
    image = account.register_image("debian-12-amd64-20300101-1", DEBIAN)
    account.register_image("debian-12-arm64-20300101-1", DEBIAN, "arm64")
    account.register_image("debian-12-amd64-20310101-1", "999999999999")
    before = account.everything()
    kernel = directory / "kernel.gz"
    kernel.write_bytes(b"\x1f\x8b no machine comes as far as this")
    said = {
        "name": LAB["lab"],
        "provider": {
            "type": "terraform", "cloud": "aws", "region": REGION, "owner": LAB["owner"], "architecture": "x86_64",
            "allow": LAB["allowed_cidrs"], "boot_timeout": 1,
        },
        "guests": {"count": len(NAMES), "disks": [{"size": f"{size}GiB"} for size in SIZES]},
        "kernel": {"source": {"prebuilt": str(kernel)}},
    }  # fmt: skip
    path = directory / "lab.yaml"
    path.write_text(yaml.safe_dump(said))
    up = kdevops("up", path, "--yes")
    yield Lab(kdevops, path, account, before, image, up)
    kdevops.clean_up()


@pytest.mark.xdist_group("without the lab")  # so that another worker may take it
def test_modules_own_tests_pass(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, MODULES / "aws", a_mirror())
    if Path(workspace.tool).name != "terraform":
        pytest.skip("the answers of mocks are files of their own, which only Terraform reads")
    said = workspace.run("test", "-no-color")
    assert said.count("... pass") > len(list((MODULES / "aws/tests").glob("*.tftest.hcl"))), said


def test_what_is_made_is_shown_and_where_it_ends_is_told(lab: Lab) -> None:
    assert lab.up.code == 3, lab.up.stderr
    for line in (
        f"lab demo, aws {REGION}:",
        "  make       2 aws_instance (t3.small): demo-1, demo-2",
        "  make       2 aws_ebs_volume (20 GiB)",
        "  make       4 aws_volume_attachment",
        f"machines: done: 2 in aws {REGION}",
    ):
        assert line in lab.up.stderr.splitlines()
    told = [
        f"guest {name}: its machine does not come up; nobody answers at {each['PublicIpAddress']} port 22"
        for name, each in lab.account.instances().items()
    ]
    assert any(line in told for line in lab.up.stderr.splitlines()), lab.up.stderr
    assert "is there still and costs money: kdevops up waits for it again, kdevops down destroys it" in lab.up.stderr


def test_they_are_known_to_be_there(lab: Lab) -> None:
    instances = lab.account.instances()
    guests = lab.kdevops("status", lab.path, "--json", check=0).data
    assert [(guest["name"], guest["state"]) for guest in guests] == [(name, "running") for name in NAMES]
    assert [guest["address"] for guest in guests] == [instances[name]["PublicIpAddress"] for name in NAMES]
    (told,) = lab.kdevops("gc", "--json", check=0).data["labs"]
    assert (told["machines"], told["where"], told["overdue"]) == (NAMES, f"aws {REGION}", False)


def test_their_console_is_read_and_they_are_reset(lab: Lab) -> None:
    name, *_ = NAMES
    assert "Linux version" in lab.run(name, "console")
    lab.run(name, "reset")


def test_machines_are_there(lab: Lab) -> None:
    instances = lab.account.instances()
    assert sorted(instances) == NAMES
    for each in instances.values():
        assert each["ImageId"] == lab.image, "the newest of Debian's own, not somebody's of the same name"
        assert each["InstanceType"] == "t3.small"
        assert each["MetadataOptions"]["HttpTokens"] == "required"
    places = lab.places()
    assert {name: place["host"] for name, place in places.items()} == {
        name: each["PublicIpAddress"] for name, each in instances.items()
    }
    assert {name: place["identity"] for name, place in places.items()} == {
        name: each["InstanceId"] for name, each in instances.items()
    }


def test_disks_are_attached_in_order(lab: Lab) -> None:
    volumes = {each["VolumeId"]: each for each in lab.account.ec2.describe_volumes()["Volumes"]}
    for name, each in lab.account.instances().items():
        mapped = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in each["BlockDeviceMappings"]}
        extra = [mapped["/dev/sdf"], mapped["/dev/sdg"]]
        assert [volumes[volume]["Size"] for volume in extra] == SIZES
        assert all(volumes[volume]["Encrypted"] and volumes[volume]["VolumeType"] == "gp3" for volume in extra)
        names = [f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}" for volume in extra]
        assert lab.places()[name]["disks"] == names


def test_only_the_caller_reaches_ssh(lab: Lab) -> None:
    ec2 = lab.account.ec2
    groups = {group["GroupId"] for each in lab.account.instances().values() for group in each["SecurityGroups"]}
    (group,) = ec2.describe_security_groups(GroupIds=list(groups))["SecurityGroups"]
    opened = [
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], source["CidrIp"])
        for rule in group["IpPermissions"]
        for source in rule["IpRanges"]
    ]
    assert sorted(opened) == [("tcp", 22, 22, source) for source in sorted(LAB["allowed_cidrs"])]
    for rule in group["IpPermissions"]:
        assert not rule["Ipv6Ranges"] and not rule["UserIdGroupPairs"] and not rule["PrefixListIds"]  # noqa: PT018
    (network,) = {each["VpcId"] for each in lab.account.instances().values()}
    assert network not in lab.before["networks"], "the machines are in a network of their own"


def test_all_is_tagged(lab: Lab) -> None:
    ec2, expires = lab.account.ec2, lab.root.values["expires"]
    wanted = {"kdevops-lab": LAB["lab"], "kdevops-owner": LAB["owner"], "kdevops-expires": expires}
    made = [
        *lab.account.instances().values(),
        *(each for each in ec2.describe_volumes()["Volumes"] if each["VolumeId"] not in lab.before["volumes"]),
        *(each for each in ec2.describe_vpcs()["Vpcs"] if each["VpcId"] not in lab.before["networks"]),
        *(each for each in ec2.describe_subnets()["Subnets"] if each["SubnetId"] not in lab.before["subnets"]),
        *ec2.describe_internet_gateways()["InternetGateways"],
        *ec2.describe_key_pairs()["KeyPairs"],
    ]
    assert len(made) == 2 + 6 + 1 + 1 + 1 + 1
    for each in made:
        assert tags(each).items() >= wanted.items(), each


def test_a_second_plan_finds_nothing_to_do(lab: Lab) -> None:
    lab.account.register_image("debian-12-amd64-20300202-1", DEBIAN)  # which is no reason to lose the machines
    lab.root.run("plan", "-no-color", "-detailed-exitcode")


def test_a_later_expiry_changes_tags_alone(lab: Lab) -> None:
    root = lab.root
    changes = root.plan(expires="2030-02-28T12:00:00Z")
    root.write()
    assert changes
    assert set(changes.values()) == {"update"}


def test_a_machine_that_was_taken_away_is_told_and_made_anew(lab: Lab) -> None:
    gone = lab.account.instances()["demo-2"]["InstanceId"]
    lab.account.ec2.terminate_instances(InstanceIds=[gone])
    states = {guest["name"]: guest["state"] for guest in lab.kdevops("status", lab.path, "--json", check=0).data}
    assert states == {"demo-1": "running", "demo-2": "terminated"}
    changes = lab.root.plan()
    assert changes.pop('aws_instance.node["demo-2"]') == "create"
    assert changes.keys() == {f'aws_volume_attachment.disk["demo-2-disk-{index}"]' for index in range(len(SIZES))}


def test_nothing_is_left(lab: Lab) -> None:
    lab.kdevops("down", lab.path, check=0)
    assert lab.account.everything() == lab.before
    assert json.loads((lab.root.module / "terraform.tfstate").read_text())["resources"] == []
    assert {guest["state"] for guest in lab.kdevops("status", lab.path, "--json", check=0).data} == {"stopped"}
    assert lab.kdevops("gc", "--json", check=0).data["labs"] == []
