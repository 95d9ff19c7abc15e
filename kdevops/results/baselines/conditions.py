"""The conditions under which results compare: the kernel's architecture and variant, and the series of each suite.

They are part of where a baseline keeps counts: `6.1/x86_64+kasan/fstests@2026/xfs_crc/`. A variant is what makes a kernel behave
in another way on purpose (KASAN, lockdep, …), in the order of the alphabet. A suite that is not part of the kernel's tree has a
series of its own, the year of its version.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from kdevops.results.store import Run

VARIANT = "variant"
"""In `kernel` of a run's record: "kasan+lockdep", "" for a kernel without such options."""
SERIES = "series"
"""In a suite's part of a run's record: the series of the suite."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the results of a run depend on, besides the kernel's release and the profile. `suites`: series by suite."""

    machine: str = field(default_factory=platform.machine)
    variant: str = ""
    suites: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> Conditions:
        """Those of a stored run. Runs that do not say which machine they are of are of one like this."""
        kernel = run.record.get("kernel", {})
        machine = kernel.get("machine") or run.record.get("host", {}).get("machine") or platform.machine()
        suites = {name: str(facts[SERIES]) for name, facts in run.record.get("suites", {}).items() if facts.get(SERIES)}
        return cls(machine, kernel.get(VARIANT, ""), suites)

    @property
    def plain(self) -> Conditions:
        """The same for a kernel without the variant."""
        return replace(self, variant="")

    @property
    def folder(self) -> str:
        """The directory of these conditions below that of a kernel."""
        return component("+".join(filter(None, [self.machine, self.variant])))


def folder_of(suite: str, series: str) -> str:
    """The directory of a suite below that of the conditions; `series` is "" if it has none."""
    return component(suite) + (f"@{component(series)}" if series else "")


def suite_of(folder: str) -> tuple[str, str]:
    """The suite and its series, "" if it has none: the inverse of `folder_of`."""
    suite, _, series = folder.partition("@")
    return unquote(suite), unquote(series)


def nearest(series: str, found: Sequence[str]) -> list[str]:
    """The series of a suite in the order in which their results tell of `series`: it, older ones, none, newer ones."""
    older = sorted((each for each in found if each and each <= series), reverse=True)
    newer = sorted(each for each in found if each > series)
    return [*older, *([""] if "" in found else []), *newer]


def component(name: str) -> str:
    """A name as part of a path, always inside the directory."""
    escaped = quote(name, safe="+")
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped
