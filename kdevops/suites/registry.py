"""Every suite there is. A new one is a module of its own, a field of `lab.model.Suites`, and a line here."""

from __future__ import annotations

from kdevops.errors import UserError
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.lab.model import Lab
from kdevops.lab.servers import MAX_CLIENTS, Server
from kdevops.suites.base import Suite
from kdevops.suites.commands import CommandsSuite
from kdevops.suites.fstests.suite import FstestsSuite
from kdevops.suites.kunit.modules import KunitModulesSuite
from kdevops.suites.kunit.suite import KunitSuite
from kdevops.suites.selftests.suite import SelftestsSuite


def suites_of(lab: Lab) -> tuple[Suite, ...]:
    """The suites a lab asks for, in the order in which they are reported."""
    suites: list[Suite] = []
    if lab.suites.commands:
        suites.append(CommandsSuite(lab.suites.commands))
    if lab.suites.kunit:
        suites += [KunitSuite(lab.suites.kunit), KunitModulesSuite(lab.suites.kunit)]
    if lab.suites.selftests:
        suites.append(SelftestsSuite(lab.suites.selftests))
    if lab.suites.fstests:
        suites.append(FstestsSuite(lab.suites.fstests, lab.guests))
    return tuple(suites)


def guest_needs(lab: Lab) -> GuestNeeds:
    """What the suites of a lab need of its guests."""
    return FstestsSuite(lab.suites.fstests, lab.guests).needs if lab.suites.fstests else NOTHING


def servers_of(lab: Lab) -> tuple[Server, ...]:
    """The guests that serve the others of a lab. Raises UserError for what no server can do."""
    roles = FstestsSuite(lab.suites.fstests, lab.guests).servers if lab.suites.fstests else ()
    if roles and lab.guests.count > MAX_CLIENTS:
        raise UserError(
            f"guests.count is {lab.guests.count}, and {roles[0]} serves {MAX_CLIENTS} guests at most",
            hint="lower guests.count, or run the profiles with a server in a lab of their own",
        )
    return tuple(Server(role, f"{lab.name}-{role}", lab.guest_names()) for role in roles)
