"""The configuration that fstests' `check` reads: a `[default]` section, and one for each profile.

One file a file system, because a section adds to the variables of `[default]` and cannot take any away: a scratch pool
beside a scratch device stops `check`, and a file system that differs from the one before has its test device made anew,
which nothing can do for tmpfs. Give `check` one file and one section: `HOST_OPTIONS=FILE ./check -s PROFILE …`.

Before it reads that section, `check` mounts the test device with what `[default]` says, and ends where it cannot. So what
a profile with external devices left there only mounts with a file that was made for this profile alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from kdevops.lab.fstests import FileSystem, Profile
from kdevops.lab.servers import EXPORTED
from kdevops.suites.fstests.devices import Devices

TEST_DIR = "/media/test"
SCRATCH_MNT = "/media/scratch"

# As upstream has it, by guest and kernel. Code, as is what each guest is served: it is ours, and `check` evaluates it.
_RESULTS = 'RESULT_BASE="$PWD/results/$HOST/$(uname -r)"'
# Every guest is served file systems of its own, so that what one does to them no other one sees.
_SERVED = {"nfs": "{server}:/export/$HOST/{what}", "cifs": "//{server}/$HOST-{what}"}
_TMPFS_SIZE = "1G"  # fstests' own choice where nothing is said
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/+@%^=-]+( [A-Za-z0-9_.,:/+@%^=-]+)*")
_PATH = re.compile(r"(/[A-Za-z0-9_.,+@=-]*)+")
_LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:/+@%^-")


def local_configs(
    profiles: Mapping[str, Profile],
    devices: Devices,
    *,
    server_address: str = "",
    results: str | None = None,
    soak: float = 0,
    test_dir: str = TEST_DIR,
    scratch_mnt: str = SCRATCH_MNT,
) -> dict[FileSystem, str]:
    """The text of a configuration for each file system among `profiles`.

    `server_address` is the IP address of the guest which serves nfs or cifs. `results` is a guest directory, by default
    `results/` in fstests' own, by guest and kernel. `soak` is in seconds. Raises ValueError for a directory with blanks or
    signs in it, which `check` does not quote, and where disks or the server's address are missing.
    """
    for path in (test_dir, scratch_mnt, "/" if results is None else results):
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path that check can take")
    texts: dict[FileSystem, str] = {}
    for fs in dict.fromkeys(profile.fs for profile in profiles.values()):
        common = {
            "FSTYP": fs,
            **_places(fs, devices),
            "TEST_DIR": test_dir,
            "SCRATCH_MNT": scratch_mnt,
            "CANON_DEVS": "yes",
            # mkfs.tmpfs does not exist: the test file system of a fresh mount is fresh.
            "RECREATE_TEST_DEV": "false" if fs == "tmpfs" else "true",
            "KEEP_DMESG": "yes",
        }
        if soak:
            common["SOAK_DURATION"] = str(math.ceil(soak))
        if results is not None:
            common["RESULT_BASE"] = results
        chosen = {name: profile for name, profile in profiles.items() if profile.fs == fs}
        if len(chosen) == 1:
            common |= _external(next(iter(chosen.values())), devices)
        if fs in _SERVED:
            # `check` mounts the test file system before it reads a section, and a server wants a password.
            common |= _mount_options(next(iter(chosen.values())))
        code = [*_served(fs, server_address), *([_RESULTS] if results is None else [])]
        lines = ["[default]", *_settings(common), *code]
        for name, profile in chosen.items():
            lines += ["", f"[{name}]", *_settings(_section(profile, devices))]
        texts[fs] = "".join(f"{line}\n" for line in lines)
    return texts


def setting(name: str, value: str) -> str:
    """A line that gives `name` just this value, in a file with sections as in one that bash sources.

    `check` rewrites every line of a section with sed (cuts it at `#`, strips blanks around any `=`, puts what has no quote
    inside into double quotes) and hands the rest, split at blanks and globbed, to eval. So only what comes through that as
    it is stands there as it is; of everything else each byte that could mean something is an escape of bash's $'...'.
    Raises ValueError for a NUL, which no variable can hold.
    """
    if "\0" in value:
        raise ValueError(f"{name}: a value cannot hold a NUL")
    if not value or (_PLAIN.fullmatch(value) and "= " not in value and " =" not in value):
        return f'{name}="{value}"'
    text = "".join(chr(byte) if byte in _LITERAL else f"\\x{byte:02x}" for byte in value.encode())
    return f"export {name}=$'{text}'"


def _settings(values: Mapping[str, str]) -> Iterator[str]:
    return (setting(name, value) for name, value in values.items())


def _served(fs: FileSystem, server: str) -> list[str]:
    """Where a guest finds the test and the scratch file system that its server has for it."""
    if fs not in _SERVED:
        return []
    if not server:
        raise ValueError(f"{fs} needs the address of its server")
    host = str(ip_address(server))
    host = f"[{host}]" if ":" in host and fs == "nfs" else host
    return [f'{what.upper()}_DEV="{_SERVED[fs].format(server=host, what=what)}"' for what in EXPORTED]


def _places(fs: FileSystem, devices: Devices) -> dict[str, str]:
    """Where the test and the scratch file system are, unless they are served."""
    if fs in _SERVED:
        return {}
    if fs == "tmpfs":
        return {"TEST_DEV": "tmpfs_test", "SCRATCH_DEV": "tmpfs_scratch"}
    if devices.test is None or not devices.scratch:
        raise ValueError(f"{fs} needs disks for the test and the scratch file system")
    places = {"TEST_DEV": devices.test}
    if fs == "btrfs":
        places["SCRATCH_DEV_POOL"] = " ".join(devices.scratch)
    else:
        places["SCRATCH_DEV"] = devices.scratch[0]
    if devices.logwrites:
        places["LOGWRITES_DEV"] = devices.logwrites
    return places


def _section(profile: Profile, devices: Devices) -> dict[str, str]:
    """Everything that can differ between profiles, so that no section takes anything from the one before."""
    return {"MKFS_OPTIONS": profile.mkfs, **_mount_options(profile), **_external(profile, devices)}


def _mount_options(profile: Profile) -> dict[str, str]:
    mount = profile.mount
    if profile.fs == "tmpfs" and "size=" not in mount:
        mount = f"-o size={_TMPFS_SIZE} {mount}".strip()
    return {"MOUNT_OPTIONS": mount, "TEST_FS_MOUNT_OPTS": mount}


def _external(profile: Profile, devices: Devices) -> dict[str, str]:
    """The external devices of XFS; those that the profile does without are empty, so that none is left over."""
    if profile.fs != "xfs":
        return {}
    log = devices.log if "log" in profile.devices else ("", "")
    rt = devices.rt if "rt" in profile.devices else ("", "")
    return {
        "USE_EXTERNAL": "yes" if profile.devices else "no",
        "SCRATCH_LOGDEV": log[0],
        "TEST_LOGDEV": log[1],
        "SCRATCH_RTDEV": rt[0],
        "TEST_RTDEV": rt[1],
    }
