"""Assign a guest's disks to fstests: test and scratch file systems, logs, real-time volumes, the write log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from kdevops.errors import UserError
from kdevops.lab.fstests import FileSystem, Profile
from kdevops.lab.model import Guests

POOL = 5
"""Disks in btrfs's scratch pool: enough for all but two of the tests that state how many they need."""
SMALLEST = 1 << 30
"""Bytes. mkfs.xfs 6.1 needs 300 MiB, and 600 MiB with 64 KiB blocks or a stripe."""
WANTED = 10_000_000_000
"""Bytes; fstests' README: "should be at least 10GB"."""
LOG_SIZES = (64 << 20, 2_136_997_888)
"""Bytes, smallest and largest: mkfs.xfs uses the whole device as log, and accepts no other size (measured with 6.1)."""

_ON_DISK: frozenset[FileSystem] = frozenset({"xfs", "btrfs", "ext4"})
_SUGGESTED = {"log": "1GiB"}


@dataclass(frozen=True, slots=True)
class Devices:
    """Paths of block devices in the guest. `log` and `rt` are empty, or one for scratch and one for test."""

    test: str | None = None
    scratch: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    rt: tuple[str, ...] = ()
    logwrites: str | None = None


def disk_sizes(guests: Guests) -> tuple[int, ...]:
    """Bytes of each extra disk, in the order of lab.yaml and of their serials."""
    return tuple(disk.size for disk in guests.disks for _ in range(disk.count))


def assign(profiles: Mapping[str, Profile], sizes: Sequence[int]) -> Devices:
    """Assign the disks in this order: test, scratch, log, rt, logwrites; unused ones are left out.

    `sizes` are bytes, by serial. Raises UserError if disks are missing or too small, with the section to write.
    """
    uses = _uses(profiles.values())
    if len(uses) > len(sizes):
        raise UserError(
            f"suites.fstests needs {len(uses)} disks in each guest ({_counted(uses)}) for {_names(profiles)}, "
            f"the lab has {len(sizes)}",
            hint=_hint(uses),
        )
    wrong = [
        text for number, (use, size) in enumerate(zip(uses, sizes, strict=False)) if (text := _fit(number, use, size))
    ]
    if wrong:
        raise UserError("guests.disks, as suites.fstests uses them: " + "; ".join(wrong), hint=_hint(uses))
    by_use = {use: tuple(_path(number) for number, each in enumerate(uses) if each == use) for use in uses}
    spare = _path(len(uses)) if uses and len(sizes) > len(uses) else None
    test = by_use.get("test", (None,))[0]
    return Devices(test, by_use.get("scratch", ()), by_use.get("log", ()), by_use.get("rt", ()), spare)


def advice(profiles: Mapping[str, Profile], sizes: Sequence[int]) -> list[str]:
    """Reasons why tests will skip, a sentence each: small disks, unequal ones, no write log."""
    uses = _uses(profiles.values())
    found = []
    pairs = list(zip(uses, sizes, strict=False))
    if small := [size for use, size in pairs if use in {"test", "scratch"} and size < WANTED]:
        found.append(f"the smallest test or scratch disk has {_shown(min(small))}: tests that need 10 GB will skip")
    if len({size for use, size in pairs if use == "scratch"}) > 1:
        found.append("the scratch disks differ in size: tests that need equal disks will skip")
    if uses and len(sizes) == len(uses):
        found.append("no disk is left as a write log: tests that replay writes will skip")
    return found


def smallest_file_system(profiles: Mapping[str, Profile], sizes: Sequence[int]) -> int | None:
    """Bytes of the smallest disk for test or scratch; None if the profiles need no disks."""
    pairs = zip(_uses(profiles.values()), sizes, strict=False)
    return min((size for use, size in pairs if use in {"test", "scratch"}), default=None)


def _uses(profiles: Iterable[Profile]) -> list[str]:
    on_disk = [profile for profile in profiles if profile.fs in _ON_DISK]
    if not on_disk:
        return []
    pool = POOL if any(profile.fs == "btrfs" for profile in on_disk) else 1
    external = {device for profile in on_disk for device in profile.devices}
    # Test and scratch file system are mounted at the same time, and both are made as the profile says.
    return ["test", *["scratch"] * pool, *[use for use in ("log", "rt") for _ in range(2) if use in external]]


def _fit(number: int, use: str, size: int) -> str:
    smallest, largest = LOG_SIZES if use == "log" else (SMALLEST, None)
    if size < smallest:
        return f"disk {number} ({use}) has {_shown(size)}, the minimum is {_shown(smallest)}"
    if largest is not None and size > largest:
        return f"disk {number} ({use}) has {_shown(size)}, the maximum of mkfs.xfs for a log is {largest} bytes"
    return ""


def _hint(uses: Sequence[str]) -> str:
    """The disks to write; equal ones share an entry."""
    rows = [(size, len(list(same))) for size, same in groupby(_SUGGESTED.get(use, "20GiB") for use in uses)]
    disks = ", ".join(f"{{size: {size}, count: {count}}}" for size, count in rows)
    return f"write guests: {{disks: [{disks}]}}; disk files are sparse. Another disk can serve as a write log"


def _counted(uses: Sequence[str]) -> str:
    return ", ".join(f"{len(list(same))} {use}" for use, same in groupby(uses))


def _names(profiles: Mapping[str, Profile]) -> str:
    names = [name for name, profile in profiles.items() if profile.fs in _ON_DISK]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more profiles" if len(names) > 3 else "")


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def _path(number: int) -> str:
    return f"/dev/disk/by-id/virtio-kd-{number}"
