"""All suites, and what the suites of a lab need.

A new suite of ours is a package with a `KIND` and a line in `kdevops.lab.suites.OURS`; an external one is a package
with an entry point.
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
from kdevops.lab.suites import OURS, READERS, find, for_tests, origin, outsiders
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PreparedSuite, Suite
from kdevops.suites.kind import SuiteKind, check_clients
from kdevops.text import nearest_or_all


@dataclass(frozen=True, slots=True)
class Asked:
    """A suite that a lab requests, and its section of the lab file."""

    kind: SuiteKind[Any]
    section: Model


def asked(lab: Lab) -> tuple[Asked, ...]:
    """The suites of a lab: ours in the order of OURS, then others by name. Raises UserError for an unusable one."""
    sections = {name: section for name, section in lab.suites if section is not None}
    names = [*(name for name in OURS if name in sections), *sorted(sections.keys() - OURS.keys())]
    return tuple(Asked(kind(name), sections[name]) for name in names)


def kind(name: str) -> SuiteKind[Any]:
    """The suite of this name. Raises UserError if it does not exist or cannot be used."""
    return _whole(find(name), name)


def kind_of_tests(suite: str) -> SuiteKind[Any] | None:
    """The suite whose test ids begin with this word; None if it is gone or cannot be used."""
    found = for_tests(suite)
    return found if isinstance(found, SuiteKind) else None


def ours() -> Iterator[SuiteKind[Any]]:
    """All suites of our own."""
    return map(kind, OURS)


def everything() -> Iterator[SuiteKind[Any]]:
    """Ours, and the usable ones of installed packages."""
    yield from ours()
    for found in outsiders()[0].values():
        if isinstance(found, SuiteKind):
            yield found


def readers() -> Iterator[SuiteKind[Any]]:
    """The suites of which results can be imported, and which cannot be run."""
    return map(kind, READERS)


def importer(name: str | None) -> SuiteKind[Any]:
    """The suite of this name that imports results, by default our first that does. Raises UserError if it cannot."""
    if name is None:
        return next(each for each in ours() if each.imports)
    able = {each.name: each for each in (*everything(), *readers()) if each.imports}
    if name not in able:
        raise UserError(f"the suite {name} cannot import results{nearest_or_all(name, able)}")
    return able[name]


def suites_of(lab: Lab) -> tuple[Suite, ...]:
    """The suites that a lab requests, in the order of the reports."""
    found: list[Suite] = []
    for each in asked(lab):
        with blamed(each.kind.name):
            found += each.kind.suites(each.section, lab)
    return tuple(found)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Add a note naming this suite to exceptions other than KdevopsError, unless the suite is ours."""
    try:
        yield
    except KdevopsError:
        raise
    except Exception as error:
        if where := _from(name):
            error.add_note(f"the suite {name} of {where}")
        raise


def _from(name: str) -> str:
    """The distribution of an external suite, by its name or by the first part of its test ids."""
    return origin(name.partition("-")[0])


def guest_needs(lab: Lab) -> GuestNeeds:
    """What the lab's suites need in the guests."""
    needs = [need for each in asked(lab) if (need := each.kind.guest_needs(each.section, lab)) != NOTHING]
    if len(needs) < 2:
        return needs[0] if needs else NOTHING
    packages = {package for need in needs for package in need.packages}
    users = dict.fromkeys(user for need in needs for user in need.users)
    return GuestNeeds(tuple(sorted(packages)), tuple(users))


def servers_of(lab: Lab) -> tuple[Server, ...]:
    """The lab's server guests. Raises UserError for what no server can do."""
    roles = tuple(dict.fromkeys(role for each in asked(lab) for role in each.kind.servers(each.section, lab)))
    check_clients(roles, lab)
    return tuple(Server(role, f"{lab.name}-{role}", lab.guest_names()) for role in roles)


def secrets_of(lab: Lab, directory: Path) -> dict[str, Path]:
    """Files for guests that run tests, by guest path; created in the lab's `directory`."""
    found: dict[str, Path] = {}
    for each in asked(lab):
        found |= each.kind.secrets(each.kind.servers(each.section, lab), directory)
    return found


def server_variables(lab: Lab, role: Role, secrets: Mapping[str, Path]) -> dict[str, object]:
    """Ansible variables for a server of the lab."""
    found: dict[str, object] = {}
    for each in asked(lab):
        found |= each.kind.server_variables(role, secrets)
    return found


def host_variables(lab: Lab) -> dict[str, object]:
    """Ansible variables for guests that already have what their tests need, also for roles of suites that run later."""
    found: dict[str, object] = {}
    for each in (*ours(), *(each.kind for each in asked(lab))):
        found |= each.variables
    return found


def origins_of(lab: Lab) -> dict[str, str]:
    """The distribution and version of each external suite of the lab, by suite name."""
    return {each.kind.name: where for each in asked(lab) if (where := origin(each.kind.name))}


def check_prepared(lab: Lab, prepared: Sequence[PreparedSuite]) -> None:
    """Raise UserError for a suite that cannot be run, or that plans tests of another one.

    `prepared` are the prepared suites of `suites_of(lab)`, in their order.
    """
    kinds = [each.kind for each in asked(lab) for _ in each.kind.suites(each.section, lab)]
    for suite, of in zip(prepared, kinds, strict=True):
        where = f"the suite {of.name}" + (f" of {origin(of.name)}" if origin(of.name) else "")
        if not isinstance(suite, GuestSuite | ChunkSuite | BootSuite):
            raise UserError(f"{where} must prepare a GuestSuite, a ChunkSuite or a BootSuite")
        for name in (suite.name, *(test.id.suite for test in suite.tests)):
            if name not in of.all_test_suites:
                raise UserError(f"{where} plans tests of {name}, which is not its own")


def _whole(found: SuiteFacts | None, name: str) -> SuiteKind[Any]:
    if found is None:
        raise UserError(f"suites.{name}: there is no such suite", hint="install the package that provides it")
    if not isinstance(found, SuiteKind):
        raise UserError(
            f"the suite {name} of {origin(name)} cannot be used: its KIND is not a kdevops.suites.kind.SuiteKind"
        )
    return found
