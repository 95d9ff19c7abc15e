"""What a suite is to the lab, the plan and the reports: all that only it knows, in one object.

Every suite derives from `SuiteKind`, ours and others alike; `kdevops.suites.registry` finds it by name. Defaults are
conservative, see `kdevops.lab.suite_facts.SuiteFacts`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
"""What raises a KdevopsError, and the field of the lab that is wrong then."""
Section = TypeVar("Section", bound=Model)
"""The suite's model of its section of lab.yaml."""
Stored = Mapping[str, Any]
"""The same section as plain data, from the record of a run; another version of the suite may have written it."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was made of others' results: number, kernel's release, how tests ended, what does not fit together."""

    run: int
    kernel: str
    profiles: tuple[str, ...]
    counts: Counts
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """A profile that a lab may choose: its family (a file system), how it is made, what it needs; `data` is for programs."""

    family: str
    made: str
    needs: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


class SuiteKind(SuiteFacts, abc.ABC, Generic[Section]):
    """One kind of tests: facts as class attributes, and the functions below. Only `suites` must be given."""

    @abc.abstractmethod
    def suites(self, section: Section, lab: Lab) -> Sequence[Suite]:
        """What a lab asks for with this section, in the order in which it is reported."""

    def guest_needs(self, section: Section, lab: Lab) -> GuestNeeds:
        """What the image of the guests must have."""
        return NOTHING

    def servers(self, section: Section, lab: Lab) -> Sequence[Role]:
        """Who must serve the guests. Raises UserError for what no server can do."""
        return ()

    def secrets(self, roles: Collection[Role], directory: Path) -> Mapping[str, Path]:
        """Files for the guests by their path there, made in the lab's `directory`; `roles` are those of its servers."""
        return {}

    def server_variables(self, role: Role, secrets: Mapping[str, Path]) -> Mapping[str, object]:
        """Variables for the Ansible role that makes a server for this suite."""
        return {}

    def checks(self, section: Section, lab: Lab) -> Iterator[Check]:
        """What can be said against the section before anything is fetched; a check builds upon those before it."""
        return iter(())

    def tree_checks(self, section: Section, tree: Path) -> Iterator[Check]:
        """The same where the kernel's source tree lies here."""
        return iter(())

    def leaves_out_known(self, section: Section) -> bool:
        """Whether tests that are known to fail are not run."""
        return False

    def not_chosen(self, section: Stored, name: str, passed_over: Collection[str]) -> str:
        """The choice of the lab that leaves a test out, "" where none does: then the test was lost.

        `passed_over` is what the suite said to have passed over (`ChoosySuite`).
        """
        return ""

    def definition(self, section: Stored, name: str) -> object:
        """What the section says of this one test (its script), where `chooses` excludes the field; compared by ==."""
        return None

    def known_profiles(self) -> Mapping[str, KnownProfile]:
        """The profiles that a lab may choose, by name."""
        return {}

    def import_results(
        self, directory: Path, store: Store, place: Callable[[int], Path], *, lab: str, kernel: str, baseline: Path
    ) -> Sequence[Imported]:
        """Store results that others have made as finished runs; only of a suite that `imports`.

        `place` gives the directory of a run, `kernel` is the release where the results do not say it.
        Raises UserError for a directory that holds none.
        """
        raise NotImplementedError


def check_clients(roles: Sequence[Role], lab: Lab) -> None:
    """Raise UserError where the lab has more guests than a server can serve."""
    if roles and lab.guests.count > MAX_CLIENTS:
        raise UserError(
            f"guests.count is {lab.guests.count}, and {roles[0]} serves {MAX_CLIENTS} guests at most",
            hint="lower guests.count, or run the profiles with a server in a lab of their own",
        )
