"""Which names of expunge lists apply to a profile: `expunge-sections.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Common:
    """A list directly in `any/`: its profiles, and the bytes from which on a disk is too large for it to apply."""

    profiles: tuple[str, ...] | Literal["all"]
    disks_below: int | None = None

    def applies(self, profile: str, smallest_disk: int | None) -> bool:
        """Whether it is for a profile; `smallest_disk` in bytes, None where there is none or that is unknown."""
        if self.profiles != "all" and profile not in self.profiles:
            return False
        return self.disks_below is None or (smallest_disk is not None and smallest_disk < self.disks_below)


@dataclass(frozen=True, slots=True)
class Sections:
    """`sections` has the older names of each profile's section, `common` the lists in `any/` by name."""

    sections: Mapping[str, tuple[str, ...]]
    common: Mapping[str, Common]

    def names(self, profile: str) -> tuple[str, ...]:
        """The names of a profile's section, its own first."""
        return (profile, *self.sections.get(profile, ()))

    def common_to(self, profile: str, smallest_disk: int | None) -> Iterator[str]:
        """The names of the lists in `any/` that apply to a profile."""
        return (name for name, each in self.common.items() if each.applies(profile, smallest_disk))


@functools.cache
def load_sections() -> Sections:
    """The table that comes with kdevops."""
    text = files("kdevops.suites.fstests").joinpath("expunge-sections.yaml").read_text()
    return TypeAdapter(Sections).validate_python(yaml.safe_load(text))
