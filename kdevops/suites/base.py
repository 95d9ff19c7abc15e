"""What a suite is to the rest of the program.

A `Suite` says which kernel options it needs and prepares itself on the controller; what comes out, a `PreparedSuite`, is
plain data that knows every test it will run before anything runs, and how one is run on a live guest. Neither knows of
providers: the guest is an ssh target.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from kdevops.guest.execute import Execution
from kdevops.guest.ssh import SshTarget
from kdevops.progress import Report
from kdevops.results.model import Outcome, TestId

RECORDED = "profile "
"""What a profile's name stands behind in a suite's record, for how the profile makes and mounts its file system."""


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Options asked of the kernel's configuration: symbol without CONFIG_ → value ("y", "m", "n", "42", '"text"').

    A required option that does not survive `olddefconfig` stops the build; an optional one is reported only.
    """

    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test that will be run. `expected` seconds is None while unknown.

    `timeout` is in seconds on an accelerated guest; None leaves it to what the test took before. Tests that share one of
    `groups` are taken to be alike when nobody has seen one run. `known` says why the test is expected to fail; such
    tests are run last. `soak` seconds are what the user wants it to go on for, on top of all that.
    """

    id: TestId
    timeout: float | None
    expected: float | None = None
    groups: tuple[str, ...] = ()
    known: str = ""
    soak: float = 0.0


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """What a suite may use of the kernel under test. `tree` is its source, `build` its build directory; both read only.

    `compiler` is what the lab chose for the kernel; what a suite builds of the kernel's tree is built with the same.
    `release` is what `uname -r` will say, `config` its options as far as they are known, symbol without CONFIG_ → value.
    `distribution` is ID and VERSION_ID of the distribution whose own kernel it is, None for any other.
    """

    key: str
    tree: Path | None
    build: Path | None
    vmlinux: Path | None
    modules: Path | None = None
    compiler: Literal["gcc", "clang"] = "gcc"
    release: str = ""
    config: Mapping[str, str] | None = None
    distribution: tuple[str, str] | None = None


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


class OutputReader(Protocol):
    """Reads what one test prints, every line of it. Its memory is bounded."""

    def feed(self, line: str) -> None:
        """Take the next line, as soon as it was printed."""

    def outcome(self, execution: Execution) -> Outcome:
        """How the test ended, from what it answered and printed."""


@runtime_checkable
class ChoosySuite(PreparedSuite, Protocol):
    """A suite whose lab chooses from a catalogue by more than names, so that only the suite knows what it passed over."""

    @property
    def passed_over(self) -> Collection[str]:
        """Names of tests that are there to be chosen, and that are not run with each of the profiles."""


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

    def reader(self, test: PlannedTest) -> OutputReader:
        """A reader for one execution of the test."""


@dataclass(frozen=True, slots=True)
class Began:
    """A harness began a test."""

    test: TestId


@dataclass(frozen=True, slots=True)
class Told:
    """A harness told how a test ended; `text` is what it printed of it, bounded."""

    test: TestId
    outcome: Outcome
    text: str = ""


class Account(Protocol):
    """Reads what a harness prints while it runs a chunk. Its memory is bounded."""

    def feed(self, text: str) -> Sequence[Began | Told]:
        """Take text as it comes, lines cut anywhere; give what it tells of tests, each end once and in order."""

    def close(self) -> Sequence[Began | Told]:
        """The harness has ended: what its last, unfinished line tells."""

    @property
    def complaint(self) -> str:
        """In a line, why the harness would not run (mkfs refused, a device is missing); empty while it is content."""


@runtime_checkable
class ChunkSuite(PreparedSuite, Protocol):
    """A suite with a harness of its own that runs any number of its tests at one go, all of one profile."""

    @property
    def payload(self) -> Path | None:
        """A tar archive for the guest's `remote` directory."""

    @property
    def remote(self) -> str:
        """Where in the guest the payload belongs; named by content, so that what is there is right."""

    @property
    def disk(self) -> Path | None:
        """The same as an ext4 image, for guests that can be given a disk: nothing is sent then."""

    def chunk_command(self, tests: Sequence[PlannedTest]) -> tuple[tuple[str, ...], str]:
        """The argv that runs these tests in this order, and the guest directory it runs in."""

    def account(self, tests: Sequence[PlannedTest]) -> Account:
        """A reader of what that command prints."""

    def console_mark(self, test: TestId) -> str:
        """What the harness writes to the kernel's log when it begins a test."""

    def keep_command(self, test: TestId | None, profile: str, limit: int) -> tuple[str, ...]:
        """The argv that writes what a test left behind to stdout, as a tar; files of more than `limit` bytes cut.

        None asks for the harness's own record of the profile.
        """

    def sweep_command(self) -> tuple[str, ...]:
        """The argv that prints, a line each, why the guest should not be used on: what earlier tests left behind.

        It is run before each chunk too, for what is there at first is the guest's own.
        """

    def reconcile(self, directory: Path, told: Mapping[TestId, Outcome]) -> Sequence[str]:
        """Where the harness's own record, kept below `directory`, contradicts what it told; a line each."""


@runtime_checkable
class BootSuite(PreparedSuite, Protocol):
    """A suite whose tests run while the kernel boots."""

    def cmdline(self, tests: Sequence[TestId]) -> tuple[str, ...]:
        """Kernel parameters that make a boot run just these tests; none of them for an empty list."""

    async def collect(
        self, tests: Sequence[TestId], log: Sequence[str], ssh: SshTarget | None, *, timeout: float
    ) -> Mapping[TestId, Outcome]:
        """How these tests ended: from the booted guest and its kernel's log, or from the console of one that did not come up.

        A test that the boot never reached is absent.
        """

    def divide(self, tests: Sequence[TestId], log: Sequence[str]) -> Sequence[tuple[TestId | None, Sequence[str]]]:
        """The same log cut into parts, in order, each with the test during which it was said, or None."""


class Suite(Protocol):
    """One kind of tests, as the lab file asks for it."""

    @property
    def name(self) -> str:
        """The suite's name in lab.yaml."""

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """What the kernel must have built in. Raises UserError for tests that the tree does not have."""

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedSuite:
        """Build what there is to build. Raises UserError when a chosen test cannot be built."""


@runtime_checkable
class PickySuite(Suite, Protocol):
    """A suite that can tell before anything is built, and again when the image is there, that it cannot run."""

    async def foresee(self, series: str, *, cache: Path, report: Report) -> None:
        """Raise UserError for what cannot run whatever is built; `series` is the kernel's, "6.1", empty while unknown."""

    def refuse(self, kernel_release: str, packages: Mapping[str, str] | None) -> None:
        """Raise UserError for what cannot run on this kernel with an image of these package versions (None: unknown)."""
