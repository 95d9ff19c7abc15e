"""The suite `selftests` for the lab, the plan and the reports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from kdevops.lab.model import Lab, Selftests
from kdevops.suites.base import Suite
from kdevops.suites.kind import Check, Stored, SuiteKind
from kdevops.text import fits_any


class SelftestsKind(SuiteKind[Selftests]):
    """kselftest."""

    name = "selftests"
    model = Selftests
    chooses = frozenset({"targets", "tests", "skip"})
    environment = {r"KSELFTEST_([A-Z0-9_]+)_ARGS": "args"}  # noqa: RUF012 - never changed
    caches = ("selftests",)
    variables = {"selftests_install": False}  # noqa: RUF012 - never changed

    def suites(self, section: Selftests, lab: Lab) -> Sequence[Suite]:
        """One suite with all targets."""
        from kdevops.suites.selftests.suite import SelftestsSuite

        return (SelftestsSuite(section),)

    def tree_checks(self, section: Selftests, tree: Path) -> Iterator[Check]:
        """Check that the tree has the targets."""
        from kdevops.suites.selftests.catalogue import check_targets

        yield ("suites", self.name, "targets"), lambda: check_targets(tree, section.targets)

    def not_chosen(self, section: Stored, name: str, passed_over: Collection[str]) -> str:
        """The targets, the skipped tests, and the selected tests."""
        if name.partition(":")[0] not in section["targets"]:
            return "not in suites.selftests.targets"
        if fits_any(name, section["skip"]):
            return "suites.selftests.skip"
        return "not in suites.selftests.tests" if section["tests"] and not fits_any(name, section["tests"]) else ""


KIND = SelftestsKind()
