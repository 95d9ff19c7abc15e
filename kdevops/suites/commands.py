"""The suite `commands`: a lab's own tests, written in lab.yaml as shell scripts."""

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
    """Scripts by test name; nothing has to be brought to the guest."""

    scripts: Mapping[str, str]
    timeout: float
    name: str = NAME
    payload: Path | None = None
    remote: str = "/root"
    record: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        """One test a script."""
        return tuple(PlannedTest(TestId(NAME, "default", name), self.timeout) for name in self.scripts)

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """The script as one argument of sh."""
        return ("sh", "-c", self.scripts[test.id.name]), self.remote

    def reader(self, test: PlannedTest) -> KtapReader:
        """As kselftest has it: KTAP where there is some, the exit code otherwise, of which only 0 and 4 mean something."""
        return KtapReader()


@dataclass(frozen=True, slots=True)
class CommandsSuite:
    """What lab.yaml asks for below `suites.commands`."""

    commands: Commands
    name: str = NAME

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """None: the lab's author adds them to kernel.config."""
        return KernelOptions()

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedCommands:
        """Nothing to build."""
        return PreparedCommands(self.commands.tests, self.commands.timeout)


class CommandsKind(SuiteKind[Commands]):
    """The scripts of a lab."""

    name = NAME
    model = Commands
    chooses = frozenset({"tests"})
    lab_makes_tests = True

    def suites(self, section: Commands, lab: Lab) -> Sequence[CommandsSuite]:
        """The one suite of all scripts."""
        return (CommandsSuite(section),)

    def definition(self, section: Stored, name: str) -> object:
        """The script: a test of the same name with another one is another test."""
        return section.get("tests", {}).get(name)


KIND = CommandsKind()
