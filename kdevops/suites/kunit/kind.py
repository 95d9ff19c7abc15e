"""The suite `kunit` for the lab, the plan and the reports."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kdevops.lab.model import Kunit, Lab
from kdevops.suites.base import Suite
from kdevops.suites.kind import Stored, SuiteKind
from kdevops.text import fits_any


class KunitKind(SuiteKind[Kunit]):
    """KUnit suites, built in or in modules; the configuration decides which."""

    name = "kunit"
    model = Kunit
    test_suites = ("kunit", "kunit-modules")
    chooses = frozenset({"suites"})
    lab_makes_tests = True
    caches = ("kunit",)

    def suites(self, section: Kunit, lab: Lab) -> Sequence[Suite]:
        """Built-in suites run during boot, the others when their modules are loaded."""
        from kdevops.suites.kunit.modules import KunitModulesSuite
        from kdevops.suites.kunit.suite import KunitSuite

        return KunitSuite(section), KunitModulesSuite(section)

    def not_chosen(self, section: Stored, name: str, passed_over: Collection[str]) -> str:
        """The names and globs of the field `suites`."""
        return "not in suites.kunit.suites" if section["suites"] and not fits_any(name, section["suites"]) else ""


KIND = KunitKind()
