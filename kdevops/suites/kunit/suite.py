"""The suite `kunit`: KUnit suites that are built into the kernel and run while it boots."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import Kunit
from kdevops.progress import Report
from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import KernelBuild, KernelOptions, PlannedTest
from kdevops.suites.kunit.filter import fitting, matching, pattern_for
from kdevops.suites.kunit.kernel import suites_of_kernel
from kdevops.suites.kunit.log import divide
from kdevops.suites.kunit.results import outcome_from_debugfs, outcomes_from_console
from kdevops.text import nearest

SUITE = "kunit"
# KTAP is printed at level 6 (info), which `quiet` hides on the console; and all of it must fit into the kernel log.
_AUDIBLE = ("loglevel=7", "log_buf_len=4M", "kunit.enable=1")
_RESULTS = 'd=/sys/kernel/debug; [ -e "$d/kunit" ] || mount -t debugfs none "$d"; cat "$d/kunit/$1/results"'


def kernel_options(lab: Kunit) -> KernelOptions:
    """KUnit itself, its results in debugfs, and the lab's own test options."""
    asked = dict(option.removeprefix("CONFIG_").split("=", 1) for option in lab.options)
    return KernelOptions(required={"KUNIT": "y", "KUNIT_DEBUGFS": "y", **asked})


def choose(builtin: Sequence[str], modular: Sequence[str], lab: Kunit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The suites that the lab selects by name or glob: of the built-in ones, and of those in modules.

    Raises UserError for a name that matches none, if there are no suites, and for a mixture that no filter can select.
    """
    suites = (*builtin, *modular)
    if not suites:
        raise UserError(
            "suites.kunit: the kernel has no KUnit suite",
            hint="enable tests in suites.kunit.options, such as CONFIG_KUNIT_EXAMPLE_TEST=y",
        )
    for pattern in lab.suites:
        if not fnmatch.filter(suites, pattern):
            raise UserError(f"suites.kunit.suites: there is no suite {pattern!r}{nearest(pattern, suites)}")
    loaded = fitting(modular, lab)
    left_out = set(loaded) - set(matching(pattern_for(loaded, suites), loaded))
    if builtin and left_out:
        raise UserError(
            f"suites.kunit: no filter disables the built-in suites but runs {', '.join(sorted(left_out))} from modules",
            hint="build all of suites.kunit.options in (=y), or none of them",
        )
    return fitting(builtin, lab), loaded


@dataclass(frozen=True, slots=True)
class PreparedKunit:
    """The suites to run, out of the `known` built-in ones. `modular` are suites to run from modules, later."""

    known: tuple[str, ...]
    tests: tuple[PlannedTest, ...]
    record: Mapping[str, str]
    modular: tuple[str, ...] = ()

    name = SUITE

    def cmdline(self, tests: Sequence[TestId]) -> tuple[str, ...]:
        """Kernel parameters of a boot that runs as many of `tests` as one pattern selects (at least one), no others."""
        pattern = self._pattern(tests)
        if not tests and self.modular:  # newer kernels filter modules too
            pattern = pattern_for(self.modular, (*self.known, *self.modular))
        filtered = (f"kunit.filter_glob={pattern}",) if pattern is not None else ()
        return (*_AUDIBLE, *filtered) if tests else filtered

    async def collect(
        self, tests: Sequence[TestId], log: Sequence[str], ssh: SshTarget | None, *, timeout: float
    ) -> Mapping[TestId, Outcome]:
        """How `tests` ended in a boot with their `cmdline`: from a live guest's log, else from a dead guest's console.

        Tests that the boot was not asked to run, or that it did not reach before it died, are absent.
        """
        if ssh is None:
            return outcomes_from_console(log, tests).outcomes
        pattern = self._pattern(tests)
        asked = [test for test in tests if matching(pattern, [test.name])]
        told = outcomes_from_console(log, asked)
        # A kernel that booted did not die in a suite: the log only lost its end.
        outcomes = {test: outcome for test, outcome in told.outcomes.items() if test != told.in_flight}
        for test in asked:
            if test not in outcomes:
                # With a filter, 6.1 runs copies of the suites and frees them, so their debugfs files must not be read.
                found = await _from_debugfs(ssh, test.name, timeout) if pattern is None else None
                outcomes[test] = found or Outcome(Status.MISSING, reason="the kernel came up without a result of it")
        return outcomes

    def divide(self, tests: Sequence[TestId], log: Sequence[str]) -> Sequence[tuple[TestId | None, Sequence[str]]]:
        """The kernel's log by KUnit suite."""
        return divide(log, tests)

    def _pattern(self, tests: Sequence[TestId]) -> str | None:
        return pattern_for([test.name for test in tests], self.known)


@dataclass(frozen=True, slots=True)
class KunitSuite:
    """KUnit as requested by the lab file."""

    lab: Kunit

    name = SUITE

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """KUnit and the lab's test options, for any tree."""
        return kernel_options(self.lab)

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedKunit:
        """Read the suites from vmlinux. Raises UserError without one, and for names that match no suite."""
        if kernel.vmlinux is None:
            raise UserError(
                "suites.kunit needs the kernel's vmlinux to find its suites, but a prebuilt kernel has none",
                hint="build the kernel here, or remove kunit from the lab",
            )
        kept = await suites_of_kernel(kernel, cache)
        known = kept.builtin
        chosen, modular = choose(known, tuple(kept.modules), self.lab)
        tests = tuple(PlannedTest(TestId(SUITE, "default", suite), self.lab.timeout) for suite in chosen)
        return PreparedKunit(known, tests, {"options": " ".join(self.lab.options)}, modular)


async def _from_debugfs(ssh: SshTarget, suite: str, timeout: float) -> Outcome | None:
    said = await ssh.run(["sh", "-c", _RESULTS, "kunit", suite], timeout=timeout, check=False)
    return outcome_from_debugfs(said.stdout, suite)
