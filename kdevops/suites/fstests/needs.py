"""The packages that fstests needs in a guest and for its build, from the lists of the role `fstests`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from kdevops.images.needs import GuestNeeds
from kdevops.paths import data_dir


@dataclass(frozen=True, slots=True)
class BuildNeeds:
    """What a build of fstests needs: commands and C headers, each with the package that provides it."""

    commands: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def packages(self) -> tuple[str, ...]:
        """All packages, sorted."""
        return tuple(sorted({*self.commands.values(), *self.headers.values()} - {""}))


def guest_needs(file_systems: Iterable[str] = (), family: str = "debian", servers: Iterable[str] = ()) -> GuestNeeds:
    """What a guest of this distribution family needs for fstests; `file_systems` are those of the chosen profiles.

    `servers` are our server roles, whose packages are included: all guests of a lab share one image.
    """
    variables = _variables(family)
    special = variables["fstests_file_system_packages"]
    packages = {*variables["fstests_guest_packages"], *(name for fs in file_systems for name in special.get(fs, ()))}
    for role in servers:
        packages.update(_variables(family, role)[f"{role}_packages"])
    return GuestNeeds(tuple(sorted(packages)), tuple(_variables("main")["fstests_users"]))


def build_needs(family: str) -> BuildNeeds:
    """The build needs of a distribution family; an unknown one gets Debian's headers, and no packages."""
    try:
        variables = _variables(family)
    except FileNotFoundError:
        variables = _variables("debian")
        for kind in ("fstests_build_commands", "fstests_build_headers"):
            variables[kind] = dict.fromkeys(variables[kind], "")
    return BuildNeeds(variables["fstests_build_commands"], variables["fstests_build_headers"])


def _variables(name: str, role: str = "fstests") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((data_dir("roles") / role / f"vars/{name}.yml").read_text())
    return loaded
