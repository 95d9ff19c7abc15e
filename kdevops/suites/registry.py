"""Every suite there is. A new one is a module of its own, a field of `lab.model.Suites`, and a line here."""

from __future__ import annotations

from kdevops.lab.model import Lab
from kdevops.suites.base import Suite
from kdevops.suites.commands import CommandsSuite
from kdevops.suites.kunit import KunitSuite
from kdevops.suites.kunit_modules import KunitModulesSuite
from kdevops.suites.selftests import SelftestsSuite


def suites_of(lab: Lab) -> tuple[Suite, ...]:
    """The suites a lab asks for, in the order in which they are reported."""
    suites: list[Suite] = []
    if lab.suites.commands:
        suites.append(CommandsSuite(lab.suites.commands))
    if lab.suites.kunit:
        suites += [KunitSuite(lab.suites.kunit), KunitModulesSuite(lab.suites.kunit)]
    if lab.suites.selftests:
        suites.append(SelftestsSuite(lab.suites.selftests))
    return tuple(suites)
