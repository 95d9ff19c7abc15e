"""The suite `kunit-modules`: KUnit suites in modules, each run by loading its module in the guest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kdevops.guest.execute import Execution
from kdevops.lab.model import Kunit
from kdevops.progress import Report
from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import KernelBuild, KernelOptions, PlannedTest
from kdevops.suites.kunit.filter import fitting
from kdevops.suites.kunit.kernel import suites_of_kernel
from kdevops.suites.kunit.results import outcome_in
from kdevops.suites.shared.outcome import KtapReader

SUITE = "kunit-modules"
# $1 module, $2 suite. A module that is already loaded was loaded by something else, or for another suite in it.
_SCRIPT = """
d=/sys/kernel/debug
[ -e "$d/kunit" ] || mount -t debugfs none "$d" || exit
modprobe -q -r "$1"
modprobe "$1" || exit
cat "$d/kunit/$2/results"
"""


class _Reader(KtapReader):
    """Uses the results in debugfs; a module that did not load, or took too long, is judged by its exit code."""

    def __init__(self, suite: str) -> None:
        super().__init__()
        self._suite = suite

    def outcome(self, execution: Execution) -> Outcome:
        """The suite's outcome."""
        if execution.returncode != 0:
            return super().outcome(execution)
        if told := outcome_in(self.parsed_log(), self._suite):
            return replace(told, seconds=execution.seconds)
        return Outcome(Status.FAIL, execution.seconds, "the module was loaded, but its suite has no results")


@dataclass(frozen=True, slots=True)
class PreparedKunitModules:
    """Suites and their modules."""

    modules: Mapping[str, str]
    tests: tuple[PlannedTest, ...]
    record: Mapping[str, str]

    name = SUITE
    payload = None
    remote = "/"

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """Load the suite's module, and print its results in debugfs."""
        return ("sh", "-c", _SCRIPT, "kunit", self.modules[test.id.name], test.id.name), self.remote

    def reader(self, test: PlannedTest) -> _Reader:
        """A reader of the suite's results in debugfs."""
        return _Reader(test.id.name)


@dataclass(frozen=True, slots=True)
class KunitModulesSuite:
    """The lab's KUnit suites that are in modules."""

    lab: Kunit

    name = SUITE

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """Nothing beyond the options of the suite `kunit`."""
        return KernelOptions()

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedKunitModules:
        """Find the suites in the kernel's modules; there may be none. Raises UserError for an unreadable module."""
        modules = (await suites_of_kernel(kernel, cache)).modules
        tests = tuple(
            PlannedTest(TestId(SUITE, "default", suite), self.lab.timeout)
            for suite in fitting(tuple(modules), self.lab)
        )
        return PreparedKunitModules(modules, tests, {"options": " ".join(self.lab.options)})
