"""A suite as the lab, the plan and the reports see it: all facts and functions that are specific to it.

Every suite derives from `SuiteKind`, ours and external ones alike; `kdevops.suites.registry` finds it by name. Defaults
are conservative, see `kdevops.lab.suite_facts.SuiteFacts`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from kdevops.errors import UserError
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.lab.document import Loc
from kdevops.lab.fields import Model
from kdevops.lab.model import Lab
from kdevops.lab.servers import MAX_CLIENTS, Role
from kdevops.lab.suite_facts import SuiteFacts
from kdevops.results.model import Counts
from kdevops.results.store import Store
from kdevops.suites.base import Suite

Check = tuple[Loc, Callable[[], object]]
"""The lab field that is checked, and a function that raises a KdevopsError if it is wrong."""
Section = TypeVar("Section", bound=Model)
"""The suite's model of its section of lab.yaml."""
Stored = Mapping[str, Any]
"""The same section as plain data from a run's record; it may be from another version of the suite."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A run made from imported results: number, kernel release, profiles, counts, and notes on contradictions.

    `already`: these profiles were in the store before, in this run. `known` counts its tests that are known to fail from
    expunge lists, None if none were given.
    """

    run: int
    kernel: str
    profiles: tuple[str, ...]
    counts: Counts
    notes: tuple[str, ...]
    already: bool = False
    known: int | None = None


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """A profile that a lab may choose: its family (file system), how it is made, its needs; `data` is for programs."""

    family: str
    made: str
    needs: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


class SuiteKind(SuiteFacts, abc.ABC, Generic[Section]):
    """One kind of tests: facts as class attributes, and functions. Only `suites` is mandatory."""

    @abc.abstractmethod
    def suites(self, section: Section, lab: Lab) -> Sequence[Suite]:
        """The suites that this section of a lab requests, in the order of the reports."""

    def guest_needs(self, section: Section, lab: Lab) -> GuestNeeds:
        """What the guest image must contain."""
        return NOTHING

    def servers(self, section: Section, lab: Lab) -> Sequence[Role]:
        """The servers that the guests need. Raises UserError for what no server can do."""
        return ()

    def secrets(self, roles: Collection[Role], directory: Path) -> Mapping[str, Path]:
        """Files for the guests, by guest path, created in the lab's `directory`; `roles` are those of its servers."""
        return {}

    def server_variables(self, role: Role, secrets: Mapping[str, Path]) -> Mapping[str, object]:
        """Variables for the Ansible role that sets up a server for this suite."""
        return {}

    def checks(self, section: Section, lab: Lab) -> Iterator[Check]:
        """Checks of the section before anything is fetched; each may rely on the ones before it."""
        return iter(())

    def tree_checks(self, section: Section, tree: Path) -> Iterator[Check]:
        """Checks that need the kernel's source tree, if it is local."""
        return iter(())

    def leaves_out_known(self, section: Section) -> bool:
        """Whether tests that are known to fail are excluded."""
        return False

    def not_chosen(self, section: Stored, name: str, passed_over: Collection[str]) -> str:
        """The lab field that excludes a test, "" if there is none: then the test was lost.

        `passed_over` are the tests that the suite did not select (`ChoosySuite`).
        """
        return ""

    def definition(self, section: Stored, name: str) -> object:
        """The definition of a test in the section (its script), where `chooses` excludes that field; compared by ==."""
        return None

    def known_profiles(self) -> Mapping[str, KnownProfile]:
        """The profiles that a lab may choose, by name."""
        return {}

    def expunge_list(self, profile: str) -> PurePosixPath | None:
        """Where a tree of expunge lists has that of a profile, below the directory of a kernel; None without such lists."""
        return None

    def import_results(
        self,
        directory: Path,
        store: Store,
        place: Callable[[int], Path],
        *,
        lab: str,
        kernel: str,
        baseline: Path,
        expunges: Sequence[Path] = (),
    ) -> Sequence[Imported]:
        """Store imported results as finished runs; only for suites that set `imports`.

        `place` returns the directory of a run; `kernel` is the release if the results do not contain it; `expunges` are
        directories of expunge lists, only for suites that set `imports_expunges`.
        Raises UserError for a directory without results.
        """
        raise NotImplementedError


def check_clients(roles: Sequence[Role], lab: Lab) -> None:
    """Raise UserError if the lab has more guests than a server can serve."""
    if roles and lab.guests.count > MAX_CLIENTS:
        raise UserError(
            f"guests.count is {lab.guests.count}, but {roles[0]} serves {MAX_CLIENTS} guests at most",
            hint="lower guests.count, or move the profiles that need a server to another lab",
        )
