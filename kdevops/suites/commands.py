"""The suite `commands`: tests that the lab file defines as shell scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.lab.model import Commands, Lab
from kdevops.progress import Report
from kdevops.results.model import TestId
from kdevops.suites.base import KernelBuild, KernelOptions, PlannedTest
from kdevops.suites.kind import Stored, SuiteKind
from kdevops.suites.shared.outcome import KtapReader

NAME = "commands"


@dataclass(frozen=True, slots=True)
class PreparedCommands:
    """Scripts by test name; there is no payload."""

    scripts: Mapping[str, str]
    timeout: float
    name: str = NAME
    payload: Path | None = None
    remote: str = "/root"
    record: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        """One test per script."""
        return tuple(PlannedTest(TestId(NAME, "default", name), self.timeout) for name in self.scripts)

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """The script as one argument of sh."""
        return ("sh", "-c", self.scripts[test.id.name]), self.remote

    def reader(self, test: PlannedTest) -> KtapReader:
        """As in kselftest: KTAP if there is any, else the exit code: 0 passes, 4 skips, all others fail."""
        return KtapReader()


@dataclass(frozen=True, slots=True)
class CommandsSuite:
    """The section `suites.commands` of lab.yaml."""

    commands: Commands
    name: str = NAME

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """None: the lab's author adds them to kernel.config."""
        return KernelOptions()

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedCommands:
        """Nothing to build."""
        return PreparedCommands(self.commands.tests, self.commands.timeout)


class CommandsKind(SuiteKind[Commands]):
    """The lab's own scripts."""

    name = NAME
    model = Commands
    chooses = frozenset({"tests"})
    lab_makes_tests = True

    def suites(self, section: Commands, lab: Lab) -> Sequence[CommandsSuite]:
        """One suite with all scripts."""
        return (CommandsSuite(section),)

    def definition(self, section: Stored, name: str) -> object:
        """The script: with another script it is another test."""
        return section.get("tests", {}).get(name)


KIND = CommandsKind()
