"""What a suite is to the rest of the program.

A `Suite` says which kernel options it needs and prepares itself on the controller; what comes out, a `PreparedSuite`, is
plain data that knows every test it will run before anything runs, and how one is run on a live guest. Neither knows of
providers: the guest is an ssh target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from kdevops.guest.execute import Execution
from kdevops.guest.ssh import SshTarget
from kdevops.progress import Report
from kdevops.results.model import Outcome, TestId


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Options asked of the kernel's configuration: symbol without CONFIG_ → value ("y", "m", "n", "42", '"text"').

    A required option that does not survive `olddefconfig` stops the build; an optional one is reported only.
    """

    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test that will be run. `timeout` is in seconds on an accelerated guest; `expected` seconds, None while unknown."""

    id: TestId
    timeout: float
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """What a suite may use of the kernel under test. `tree` is its source, `build` its build directory; both read only."""

    key: str
    tree: Path | None
    build: Path | None
    vmlinux: Path | None
    modules: Path | None = None


class PreparedSuite(Protocol):
    """A suite whose tests are known and built."""

    @property
    def name(self) -> str:
        """The suite's name, the first part of its tests' ids."""

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        """Every test, in the order in which they should be reported."""

    @property
    def record(self) -> Mapping[str, str]:
        """What it takes to prepare the same again: commits, hashes, versions."""


@runtime_checkable
class GuestSuite(PreparedSuite, Protocol):
    """A suite whose tests are commands in a running guest."""

    @property
    def payload(self) -> Path | None:
        """A tar archive for the guest's `remote` directory."""

    @property
    def remote(self) -> str:
        """Where in the guest the payload belongs; named by content, so that what is there is right."""

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """The test's argv and the guest directory it runs in."""

    def outcome(self, test: PlannedTest, execution: Execution, lines: Sequence[str]) -> Outcome:
        """How the test ended, from what it answered and printed."""


@runtime_checkable
class BootSuite(PreparedSuite, Protocol):
    """A suite whose tests run while the kernel boots."""

    def cmdline(self, tests: Sequence[TestId]) -> tuple[str, ...]:
        """Kernel parameters that make a boot run just these tests; none of them for an empty list."""

    async def collect(
        self, tests: Sequence[TestId], console: Sequence[str], ssh: SshTarget | None, *, timeout: float
    ) -> Mapping[TestId, Outcome]:
        """How these tests ended: from the booted guest, or from the console alone where the guest did not come up.

        A test that the boot never reached is absent.
        """


class Suite(Protocol):
    """One kind of tests, as the lab file asks for it."""

    @property
    def name(self) -> str:
        """The suite's name in lab.yaml."""

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """What the kernel must have built in. Raises UserError for tests that the tree does not have."""

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedSuite:
        """Build what there is to build. Raises UserError when a chosen test cannot be built."""
