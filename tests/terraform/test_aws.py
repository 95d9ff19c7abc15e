"""The module of AWS with Amazon's own provider: against nothing, and against moto's imitation of EC2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from terraform_tool import LAB, MODULES, Workspace, mirror_of

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("aws")]

REGION = "eu-central-1"
DEBIAN = "136693071363"
SIZES = [20, 10]
TAGS = {"kdevops-lab": "demo", "kdevops-owner": "ada", "kdevops-expires": "2030-01-31T23:59:59Z"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


def a_workspace(directory: Path) -> Workspace:
    return Workspace(directory, MODULES / "aws", mirror_of("hashicorp/aws", "5.*"))


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
    """A lab that was applied, and the account that it is in."""

    workspace: Workspace
    account: Account
    before: dict[str, list[str]]
    image: str
    outputs: dict[str, Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    from moto.ec2.models.instances import InstanceBackend
    from moto.server import ThreadedMotoServer

    change_groups = InstanceBackend.modify_instance_security_groups

    def change_groups_if_any(self: InstanceBackend, instance: str, groups: list[str]) -> None:
        # moto takes every change of an attribute that it does not know, such as the shutdown behaviour, for one of these.
        if groups:
            change_groups(self, instance, groups)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InstanceBackend, "modify_instance_security_groups", change_groups_if_any)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(scope="module")
def lab(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Two machines with two disks each."""
    workspace = a_workspace(tmp_path_factory.mktemp("aws"))
    workspace.environment |= {**CREDENTIALS, "AWS_ENDPOINT_URL": aws, "AWS_EC2_METADATA_DISABLED": "true"}
    account = Account(aws)
    account.register_image("debian-12-amd64-20290101-1", DEBIAN)
    image = account.register_image("debian-12-amd64-20300101-1", DEBIAN)
    account.register_image("debian-12-arm64-20300101-1", DEBIAN, "arm64")
    account.register_image("debian-12-amd64-20310101-1", "999999999999")
    before = account.everything()
    return Lab(workspace, account, before, image, workspace.apply(disks=SIZES, region=REGION))


def test_module_is_valid(tmp_path: Path) -> None:
    assert '"valid": true' in a_workspace(tmp_path).run("validate", "-json")


def test_modules_own_tests_pass(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    if Path(workspace.tool).name != "terraform":
        pytest.skip("the answers of mocks are files of their own, which only Terraform reads")
    said = workspace.run("test", "-no-color")
    assert said.count("... pass") > len(list((MODULES / "aws/tests").glob("*.tftest.hcl"))), said


def test_machines_are_there(lab: Lab) -> None:
    instances = lab.account.instances()
    assert sorted(instances) == LAB["kdevops_nodes"]
    for each in instances.values():
        assert each["ImageId"] == lab.image, "the newest of Debian's own, not somebody's of the same name"
        assert each["InstanceType"] == "t3.small"
        assert each["MetadataOptions"]["HttpTokens"] == "required"
    assert lab.outputs["controller_ip_map"] == {name: each["PublicIpAddress"] for name, each in instances.items()}
    assert lab.outputs["identities"] == {name: each["InstanceId"] for name, each in instances.items()}
    assert lab.outputs["summary"] == f"aws {REGION}"


def test_disks_are_attached_in_order(lab: Lab) -> None:
    volumes = {each["VolumeId"]: each for each in lab.account.ec2.describe_volumes()["Volumes"]}
    for name, each in lab.account.instances().items():
        mapped = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in each["BlockDeviceMappings"]}
        extra = [mapped["/dev/sdf"], mapped["/dev/sdg"]]
        assert [volumes[volume]["Size"] for volume in extra] == SIZES
        assert all(volumes[volume]["Encrypted"] and volumes[volume]["VolumeType"] == "gp3" for volume in extra)
        names = [f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}" for volume in extra]
        assert lab.outputs["disks"][name] == names


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
    ec2 = lab.account.ec2
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
        assert tags(each).items() >= TAGS.items(), each


def test_a_second_plan_finds_nothing_to_do(lab: Lab) -> None:
    lab.account.register_image("debian-12-amd64-20300202-1", DEBIAN)  # which is no reason to lose the machines
    lab.workspace.write(disks=SIZES, region=REGION)
    lab.workspace.run("plan", "-no-color", "-detailed-exitcode")


def test_a_later_expiry_changes_tags_alone(lab: Lab) -> None:
    changes = lab.workspace.plan(disks=SIZES, region=REGION, expires="2030-02-28T12:00:00Z")
    assert changes
    assert set(changes.values()) == {"update"}


def test_a_machine_that_was_taken_away_is_made_anew(lab: Lab) -> None:
    gone = lab.account.instances()["demo-2"]["InstanceId"]
    lab.account.ec2.terminate_instances(InstanceIds=[gone])
    changes = lab.workspace.plan(disks=SIZES, region=REGION)
    assert changes.pop('aws_instance.node["demo-2"]') == "create"
    assert changes.keys() == {f'aws_volume_attachment.disk["demo-2-disk-{index}"]' for index in range(len(SIZES))}


def test_nothing_is_left(lab: Lab) -> None:
    lab.workspace.run("destroy", "-no-color", "-auto-approve")
    assert lab.account.everything() == lab.before
    assert not lab.workspace.run("state", "list")
