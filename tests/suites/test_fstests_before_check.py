"""What is done to a guest before `check`, by a real shell with tools that note how they were called."""

import subprocess

import pytest

from kdevops.lab.fstests import Profile
from kdevops.suites.fstests.devices import Devices
from kdevops.suites.fstests.profiles import load_profiles
from kdevops.suites.fstests.before_check import prepare_command

DEVICES = Devices("/dev/kd-0", ("/dev/kd-1",))
TOOL = '#!/bin/sh\necho "${0##*/}" "$@" >> "$NOTES"\n[ "${0##*/}" != "$FAIL" ] || { echo "$FAIL: no" >&2; exit 3; }\n'


@pytest.fixture
def prepare(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("umount", "mkfs.xfs", "mkfs.ext4", "mkfs.btrfs"):
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    at = {"test_dir": f"{tmp_path}/media/test", "scratch_mnt": f"{tmp_path}/media/scratch"}

    def run(profile, fail=""):
        env = {"PATH": f"{tools}:/usr/bin:/bin", "NOTES": str(tmp_path / "notes"), "FAIL": fail}
        argv = prepare_command(profile, DEVICES, **at)
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        notes = (tmp_path / "notes").read_text().replace(str(tmp_path), "").splitlines()
        assert (tmp_path / "media/test").is_dir()
        assert (tmp_path / "media/scratch").is_dir()
        return done, notes

    return run


UNMOUNTED = ["umount -q /media/test", "umount -q /media/scratch"]


@pytest.mark.parametrize(
    ("name", "mkfs"),
    [
        ("xfs_crc_logdev", ["mkfs.xfs -q -f -f -m crc=1,reflink=0,rmapbt=0 -i sparse=0 /dev/kd-0"]),
        ("ext4_1k", ["mkfs.ext4 -q -F -F -b 1k /dev/kd-0"]),
        ("btrfs_simple", ["mkfs.btrfs -q -f -f -d single -m single /dev/kd-0"]),
        ("tmpfs_default", []),
        ("nfs_v3", []),
        ("cifs_smb3", []),
    ],
)
def test_the_test_device_is_made_as_the_profile_has_it(prepare, name, mkfs):
    done, notes = prepare(load_profiles()[name])
    assert done.returncode == 0
    assert notes == [*UNMOUNTED, *mkfs]


def test_what_was_not_mounted_does_not_matter(prepare):
    done, notes = prepare(load_profiles()["ext4_1k"], fail="umount")
    assert (done.returncode, len(notes)) == (0, 3)


def test_what_mkfs_says_comes_through(prepare):
    done, _ = prepare(Profile(fs="xfs", mkfs="-Z"), fail="mkfs.xfs")
    assert (done.returncode, done.stderr) == (3, "mkfs.xfs: no\n")
