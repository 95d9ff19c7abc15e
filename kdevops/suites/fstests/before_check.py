"""What `check` takes for granted: directories to mount on, and a test device that mounts.

Before it reads the section that it is to run, and so before it makes the test file system anew, `check` mounts the device with
what `[default]` says, and ends where that fails: on an empty disk, after a crash, on what another file system or a profile
with an external log left there (init_rc in fstests' common/rc). So this goes before every call of it.
"""

from __future__ import annotations

from kdevops.lab.fstests import Profile
from kdevops.suites.fstests.devices import Devices
from kdevops.suites.fstests.local_config import SCRATCH_MNT, TEST_DIR

# $1, $2: where test and scratch are mounted; the rest: mkfs. What is busy stays mounted, and mkfs tells that.
_SCRIPT = 'mkdir -p "$1" "$2" && for at in "$1" "$2"; do umount -q "$at"; done; shift 2; [ $# = 0 ] || exec "$@"'
_MKFS = {"xfs": ("mkfs.xfs", "-q", "-f"), "btrfs": ("mkfs.btrfs", "-q", "-f"), "ext4": ("mkfs.ext4", "-q", "-F")}


def prepare_command(
    profile: Profile, devices: Devices, *, test_dir: str = TEST_DIR, scratch_mnt: str = SCRATCH_MNT
) -> tuple[str, ...]:
    """The argv that makes a guest ready for `check -s` of this profile: as the profile makes it, but with no external device.

    It ends with what mkfs says of its options where it refuses them, and with 0 where there is nothing to make.
    """
    made = _MKFS.get(profile.fs)
    mkfs = (*made, *profile.mkfs.split(), devices.test) if made and devices.test else ()
    return ("sh", "-c", _SCRIPT, "prepare", test_dir, scratch_mnt, *mkfs)
