"""Every suite there is, and what those of a lab need: the one place that is asked "which suite".

A new suite of ours is a package with a `KIND` and a line in `kdevops.lab.suites.OURS`; one from outside is a package with an
entry point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdevops.errors import KdevopsError, UserError
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.lab.fields import Model
from kdevops.lab.model import Lab
from kdevops.lab.servers import Role, Server
from kdevops.lab.suite_facts import SuiteFacts
from kdevops.lab.suites import OURS, find, for_tests, origin, outsiders
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PreparedSuite, Suite
from kdevops.suites.kind import SuiteKind, check_clients
from kdevops.text import nearest_or_all


@dataclass(frozen=True, slots=True)
class Asked:
    """A suite that a lab asks for, and what it says of it."""

    kind: SuiteKind[Any]
    section: Model


def asked(lab: Lab) -> tuple[Asked, ...]:
    """What a lab asks for: ours in the order of OURS, then others by name. Raises UserError for one that cannot be used."""
    sections = {name: section for name, section in lab.suites if section is not None}
    names = [*(name for name in OURS if name in sections), *sorted(sections.keys() - OURS.keys())]
    return tuple(Asked(kind(name), sections[name]) for name in names)


def kind(name: str) -> SuiteKind[Any]:
    """The suite of this name. Raises UserError where there is none, or one that cannot be used."""
    return _whole(find(name), name)


def kind_of_tests(suite: str) -> SuiteKind[Any] | None:
    """The suite whose tests' ids begin with this word; None where it is not there any more, or cannot be used."""
    found = for_tests(suite)
    return found if isinstance(found, SuiteKind) else None


def ours() -> Iterator[SuiteKind[Any]]:
    """All of our own."""
    return map(kind, OURS)


def everything() -> Iterator[SuiteKind[Any]]:
    """Ours, and those of installed packages that can be used."""
    yield from ours()
    for found in outsiders()[0].values():
        if isinstance(found, SuiteKind):
            yield found


def importer(name: str | None) -> SuiteKind[Any]:
    """The suite that reads others' results: the first of ours that does, unless it is named. Raises UserError for no such."""
    if name is None:
        return next(each for each in ours() if each.imports)
    able = {each.name: each for each in everything() if each.imports}
    if name not in able:
        raise UserError(f"the suite {name} cannot read results that others have made{nearest_or_all(name, able)}")
    return able[name]


def suites_of(lab: Lab) -> tuple[Suite, ...]:
    """The suites a lab asks for, in the order in which they are reported."""
    found: list[Suite] = []
    for each in asked(lab):
        with blamed(each.kind.name):
            found += each.kind.suites(each.section, lab)
    return tuple(found)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Note at an exception raised here, other than a KdevopsError, that it is a fault of this suite; not at one of ours."""
    try:
        yield
    except KdevopsError:
        raise
    except Exception as error:
        if where := _from(name):
            error.add_note(f"the suite {name} of {where}")
        raise


def _from(name: str) -> str:
    """The distribution of a suite that is not ours, by its name or by the first part of its tests' ids."""
    return origin(name.partition("-")[0])


def guest_needs(lab: Lab) -> GuestNeeds:
    """What the suites of a lab need of its guests."""
    needs = [need for each in asked(lab) if (need := each.kind.guest_needs(each.section, lab)) != NOTHING]
    if len(needs) < 2:
        return needs[0] if needs else NOTHING
    packages = {package for need in needs for package in need.packages}
    users = dict.fromkeys(user for need in needs for user in need.users)
    return GuestNeeds(tuple(sorted(packages)), tuple(users))


def servers_of(lab: Lab) -> tuple[Server, ...]:
    """The guests that serve the others of a lab. Raises UserError for what no server can do."""
    roles = tuple(dict.fromkeys(role for each in asked(lab) for role in each.kind.servers(each.section, lab)))
    check_clients(roles, lab)
    return tuple(Server(role, f"{lab.name}-{role}", lab.guest_names()) for role in roles)


def secrets_of(lab: Lab, directory: Path) -> dict[str, Path]:
    """Files for the guests that tests run in, by their path there; made in the lab's `directory`."""
    found: dict[str, Path] = {}
    for each in asked(lab):
        found |= each.kind.secrets(each.kind.servers(each.section, lab), directory)
    return found


def server_variables(lab: Lab, role: Role, secrets: Mapping[str, Path]) -> dict[str, object]:
    """Variables of Ansible for a server of the lab."""
    found: dict[str, object] = {}
    for each in asked(lab):
        found |= each.kind.server_variables(role, secrets)
    return found


def host_variables(lab: Lab) -> dict[str, object]:
    """Variables of Ansible for guests that were brought what their tests need, also for roles of suites that run later."""
    found: dict[str, object] = {}
    for each in (*ours(), *(each.kind for each in asked(lab))):
        found |= each.variables
    return found


def origins_of(lab: Lab) -> dict[str, str]:
    """The distribution and version that each suite of the lab which is not ours is from, by the suite's name."""
    return {each.kind.name: where for each in asked(lab) if (where := origin(each.kind.name))}


def check_prepared(lab: Lab, prepared: Sequence[PreparedSuite]) -> None:
    """Raise UserError for a suite that nobody can run, or that plans tests of another one.

    `prepared` is what `suites_of` the lab have prepared, in their order.
    """
    kinds = [each.kind for each in asked(lab) for _ in each.kind.suites(each.section, lab)]
    for suite, of in zip(prepared, kinds, strict=True):
        where = f"the suite {of.name}" + (f" of {origin(of.name)}" if origin(of.name) else "")
        if not isinstance(suite, GuestSuite | ChunkSuite | BootSuite):
            raise UserError(f"{where} prepares what is neither a GuestSuite, a ChunkSuite nor a BootSuite")
        for name in (suite.name, *(test.id.suite for test in suite.tests)):
            if name not in of.all_test_suites:
                raise UserError(f"{where} plans tests of {name}, which is not its own")


def _whole(found: SuiteFacts | None, name: str) -> SuiteKind[Any]:
    if found is None:
        raise UserError(f"suites.{name}: there is no such suite", hint="install the package that it comes with")
    if not isinstance(found, SuiteKind):
        raise UserError(
            f"the suite {name} of {origin(name)} cannot be used: it is not a SuiteKind of kdevops.suites.kind"
        )
    return found
