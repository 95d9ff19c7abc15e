"""What results of fstests say of the machine and the configuration: properties of a report, and lines of `check.log`.

    FSTYP         -- xfs (debug)
    PLATFORM      -- Linux/x86_64 host 6.1.192 #1 SMP …
    MKFS_OPTIONS  -- -f -m crc=1 /dev/vdc
    MOUNT_OPTIONS -- /dev/vdc /mnt/scratch

A report has these and more as properties, and the name of the machine as an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kdevops.suites.fstests.xunit_cases import HOST, SUITE
from kdevops.text import clean

MAX_FACTS = 64
MAX_VALUE = 500
_FIRST = ("FSTYP", "PLATFORM", "ARCH", "KERNEL", "MKFS_OPTIONS", "MOUNT_OPTIONS", "HOST_OPTIONS", "CHECK_OPTIONS", HOST)
"""Kept before any others."""
_LINE = re.compile(r"(?P<key>FSTYP|PLATFORM|(?:MKFS|MOUNT|HOST|CHECK)_OPTIONS) *-- (?P<value>.*)")
_SYSTEM = re.compile(r"[A-Za-z]{1,20}/(?P<machine>[a-z0-9_]{1,20})", re.ASCII)
_MACHINE = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)


def configuration(line: str) -> tuple[str, str] | None:
    """Key and value, if this is a line about the configuration; else None."""
    match = _LINE.fullmatch(line.rstrip())
    return (match["key"], clean(match["value"], MAX_VALUE)) if match else None


def facts(properties: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All properties; of several values of one the first. At most MAX_FACTS, the more important ones."""
    found: dict[str, str] = {}
    for each in properties:
        for key, value in each.items():
            if key != SUITE and key and value:
                found.setdefault(key, clean(value, MAX_VALUE))
    words = found.get("PLATFORM", "").split()
    if len(words) > 1:
        found.setdefault(HOST, words[1])
    keys = [*(key for key in _FIRST if key in found), *sorted(found.keys() - set(_FIRST))]
    return {key: found[key] for key in keys[:MAX_FACTS]}


def machine(found: Mapping[str, str]) -> str:
    """The architecture, as `uname -m` names it; "" if unknown."""
    said = _SYSTEM.match(found.get("PLATFORM", ""))
    told = found.get("ARCH", "")
    return said["machine"] if said else told if _MACHINE.fullmatch(told) else ""


def in_words(found: Mapping[str, str]) -> str:
    """How the file system was made and mounted, and where: "xfs; mkfs -f; mount -o noatime; host kvm-xfstests"."""
    named = (("", "FSTYP"), ("mkfs ", "MKFS_OPTIONS"), ("mount ", "MOUNT_OPTIONS"), ("host ", HOST))
    return "; ".join(f"{word}{found[key]}" for word, key in named if found.get(key))
