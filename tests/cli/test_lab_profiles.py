"""`kdevops lab profiles`."""

import json

from click.testing import CliRunner

from kdevops.cli.lab import lab
from kdevops.errors import UserError


def invoke(*words):
    return CliRunner().invoke(lab, ["profiles", *words])


def test_every_profile_is_listed():
    result = invoke()
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.output.splitlines() if not line.startswith(" ")]
    assert len(names) == len(set(names)) == 86
    assert "\ntmpfs_default\n    as it comes\ntmpfs_" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines() if "credentials=" not in line)


def test_those_of_one_file_system():
    lines = invoke("btrfs").output.splitlines()
    assert lines[:3] == [
        "btrfs_holes",
        "    mkfs -f -K -O ^no-holes -R ^free-space-tree",
        "    needs kernel 3.14, btrfs-progs 5.9",
    ]
    assert all(line.startswith(("btrfs_", " ")) for line in lines)


def test_json():
    found = json.loads(invoke("xfs", "--json").output)
    assert found["xfs_crc_logdev"]["devices"] == ["log"]
    assert len(found) == 37


def test_an_unknown_file_system():
    error = invoke("ext5").exception
    assert isinstance(error, UserError)
    assert error.message == "there are no profiles for ext5; did you mean ext4?"
