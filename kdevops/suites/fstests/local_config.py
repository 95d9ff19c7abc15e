"""The configuration file of fstests' `check`: a `[default]` section, and one for each profile.

One file per file system, because a section adds to the variables of `[default]` and cannot unset any: a scratch pool
together with a scratch device stops `check`, and a change of file system makes `check` recreate the test device, which
is impossible for tmpfs. Give `check` one file and one section: `HOST_OPTIONS=FILE ./check -s PROFILE …`.

Before it reads that section, `check` mounts the test device as `[default]` says, and exits if that fails. So what a
profile with external devices left there can only be mounted with a file made for this profile alone.
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

# As in upstream, by guest and kernel. Code, like the served devices below: it is ours, and `check` evaluates it.
_RESULTS = 'RESULT_BASE="$PWD/results/$HOST/$(uname -r)"'
# Every guest gets its own exported file systems, so that guests do not affect each other.
_SERVED = {"nfs": "{server}:/export/$HOST/{what}", "cifs": "//{server}/$HOST-{what}"}
_TMPFS_SIZE = "1G"  # fstests' own default
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

    `server_address` is the IP address of the guest that serves nfs or cifs. `results` is a guest directory, by default
    `results/` in fstests' own, by guest and kernel. `soak` is in seconds. Raises ValueError for a directory with blanks
    or special characters, which `check` does not quote, and if disks or the server's address are missing.
    """
    for path in (test_dir, scratch_mnt, "/" if results is None else results):
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is not a path that check can use")
    texts: dict[FileSystem, str] = {}
    for fs in dict.fromkeys(profile.fs for profile in profiles.values()):
        common = {
            "FSTYP": fs,
            **_places(fs, devices),
            "TEST_DIR": test_dir,
            "SCRATCH_MNT": scratch_mnt,
            "CANON_DEVS": "yes",
            # mkfs.tmpfs does not exist: the test file system is new after each mount.
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
            # `check` mounts the test file system before it reads a section, and a server requires a password.
            common |= _mount_options(next(iter(chosen.values())))
        code = [*_served(fs, server_address), *([_RESULTS] if results is None else [])]
        lines = ["[default]", *_settings(common), *code]
        for name, profile in chosen.items():
            lines += ["", f"[{name}]", *_settings(_section(profile, devices))]
        texts[fs] = "".join(f"{line}\n" for line in lines)
    return texts


def setting(name: str, value: str) -> str:
    """A line that sets `name` to exactly this value, both in a file with sections and in one that bash sources.

    `check` rewrites every line of a section with sed (cuts it at `#`, strips blanks around any `=`, puts values without
    quotes into double quotes) and passes the rest, split at blanks and globbed, to eval. So only values that this
    leaves unchanged are written plainly; in all others every special byte becomes an escape of bash's $'...'. Raises
    ValueError for a NUL, which no variable can contain.
    """
    if "\0" in value:
        raise ValueError(f"{name}: a value cannot contain a NUL")
    if not value or (_PLAIN.fullmatch(value) and "= " not in value and " =" not in value):
        return f'{name}="{value}"'
    text = "".join(chr(byte) if byte in _LITERAL else f"\\x{byte:02x}" for byte in value.encode())
    return f"export {name}=$'{text}'"


def _settings(values: Mapping[str, str]) -> Iterator[str]:
    return (setting(name, value) for name, value in values.items())


def _served(fs: FileSystem, server: str) -> list[str]:
    """The server's devices for the test and the scratch file system of a guest."""
    if fs not in _SERVED:
        return []
    if not server:
        raise ValueError(f"{fs} needs the address of its server")
    host = str(ip_address(server))
    host = f"[{host}]" if ":" in host and fs == "nfs" else host
    return [f'{what.upper()}_DEV="{_SERVED[fs].format(server=host, what=what)}"' for what in EXPORTED]


def _places(fs: FileSystem, devices: Devices) -> dict[str, str]:
    """The devices of the test and the scratch file system, unless a server provides them."""
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
    """Everything that can differ between profiles, so that no section inherits from the previous one."""
    return {"MKFS_OPTIONS": profile.mkfs, **_mount_options(profile), **_external(profile, devices)}


def _mount_options(profile: Profile) -> dict[str, str]:
    mount = profile.mount
    if profile.fs == "tmpfs" and "size=" not in mount:
        mount = f"-o size={_TMPFS_SIZE} {mount}".strip()
    return {"MOUNT_OPTIONS": mount, "TEST_FS_MOUNT_OPTS": mount}


def _external(profile: Profile, devices: Devices) -> dict[str, str]:
    """The external devices of XFS; unused ones are set to empty, so that none is inherited."""
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
