"""This machine's Linux distribution, and install commands for its package manager."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from kdevops.paths import data_dir

_INSTALLERS = {
    "debian": "apt-get install",
    "redhat": "dnf install",
    "suse": "zypper install",
    "archlinux": "pacman -S",
}


def install_hint(*needed: str) -> str:
    """How to install commands or libraries on this distribution; package names come from the role `controller`."""
    everything = "everything at once: kdevops doctor --install"
    family = distribution_family()
    with contextlib.suppress(OSError, ValueError, KeyError):
        table = json.loads((data_dir("roles") / "controller/vars/commands.json").read_text())
        usual = {**table["controller_commands"], **table["controller_libraries"]}
        known = {**usual, **table["controller_optional_commands"]}
        packages = sorted({known[name][family] for name in needed if known[name][family]})
        if packages:
            hint = f"install {'it' if len(needed) == 1 else 'them'}: {installation(packages)}"
            return f"{hint} (or {everything})" if usual.keys() >= set(needed) else hint
    return f"install it with your distribution's package manager, or {everything}"


def installation(packages: Sequence[str]) -> str:
    """The command that installs these packages on this distribution. Raises KeyError on an unknown distribution."""
    return f"{_INSTALLERS[distribution_family()]} {' '.join(packages)}"


def distribution_family(os_release: Path = Path("/etc/os-release")) -> str:
    """debian, redhat, suse or archlinux, from os-release(5); "unknown" elsewhere."""
    fields = {}
    with contextlib.suppress(OSError):
        for line in os_release.read_text().splitlines():
            key, _, value = line.partition("=")
            fields[key] = value.strip("\"'")
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    families = {
        "debian": "debian", "ubuntu": "debian", "fedora": "redhat", "rhel": "redhat", "centos": "redhat",
        "suse": "suse", "opensuse": "suse", "arch": "archlinux",
    }  # fmt: skip
    return next((families[name] for name in names if name in families), "unknown")
