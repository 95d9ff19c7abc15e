"""The interface between a suite and the rest of the program.

A `Suite` states the kernel options it needs and prepares itself on the controller. The result, a `PreparedSuite`, is
plain data: every test it will run, and how to run one in a live guest. Suites do not know about providers: a guest is
an ssh target.
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
"""Prefix of the keys in a suite's record that describe how each profile makes and mounts its file system."""


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Kernel configuration options: symbol without CONFIG_ → value ("y", "m", "n", "42", '"text"').

    A required option that does not survive `olddefconfig` fails the build; an optional one is only reported.
    """

    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test that will be run. `expected` seconds is None while unknown.

    `timeout` is in seconds on an accelerated guest; None derives it from earlier durations. Tests that share a group in
    `groups` are estimated alike while none has a known duration. `known` says why the test is expected to fail; such
    tests run last. `soak` is extra time in seconds that the user requested.
    """

    id: TestId
    timeout: float | None
    expected: float | None = None
    groups: tuple[str, ...] = ()
    known: str = ""
    soak: float = 0.0


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """What a suite may use of the kernel under test. `tree` is its source, `build` its build directory; both read-only.

    `compiler` is the lab's compiler for the kernel; suites use the same one for what they build from its tree.
    `release` is the output of `uname -r`, `config` its options as far as they are known, symbol without CONFIG_ →
    value. `distribution` is ID and VERSION_ID if it is a distribution's own kernel, else None.
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
        """Every test, in the order of the reports."""

    @property
    def record(self) -> Mapping[str, str]:
        """What is needed to prepare the same again: commits, hashes, versions."""


class OutputReader(Protocol):
    """Reads the output of one test, line by line, in bounded memory."""

    def feed(self, line: str) -> None:
        """Process the next line, as soon as it is printed."""

    def outcome(self, execution: Execution) -> Outcome:
        """How the test ended, from its exit code and output."""


@runtime_checkable
class ChoosySuite(PreparedSuite, Protocol):
    """A suite that selects tests from a catalogue by more than names, so that only it knows what was not selected."""

    @property
    def passed_over(self) -> Collection[str]:
        """Names of available tests that do not run with every profile."""


@runtime_checkable
class ListedSuite(PreparedSuite, Protocol):
    """A suite with lists of tests that are known to fail."""

    @property
    def known_from(self) -> str:
        """How many of its tests are known to fail, and which lists say so, in a line; "" without lists."""


@runtime_checkable
class GuestSuite(PreparedSuite, Protocol):
    """A suite whose tests are commands in a running guest."""

    @property
    def payload(self) -> Path | None:
        """A tar archive for the guest's `remote` directory."""

    @property
    def remote(self) -> str:
        """The payload's directory in the guest; its name depends on the content, so an existing one is up to date."""

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """The test's argv and its working directory in the guest."""

    def reader(self, test: PlannedTest) -> OutputReader:
        """A reader for one execution of the test."""


@dataclass(frozen=True, slots=True)
class ParsedStart:
    """A harness started a test."""

    test: TestId


@dataclass(frozen=True, slots=True)
class ParsedEnd:
    """A harness finished a test; `text` is what it printed about it, bounded."""

    test: TestId
    outcome: Outcome
    text: str = ""


class OutputParser(Protocol):
    """Reads the output of a harness while it runs a chunk. Its memory is bounded."""

    def feed(self, text: str) -> Sequence[ParsedStart | ParsedEnd]:
        """Process a piece of text, which may end in the middle of a line; return events in order, each end once."""

    def close(self) -> Sequence[ParsedStart | ParsedEnd]:
        """The harness has ended: return the events of its last, incomplete line."""

    @property
    def complaint(self) -> str:
        """One line why the harness could not run (mkfs failed, a device is missing); empty if there was no problem."""


@runtime_checkable
class ChunkSuite(PreparedSuite, Protocol):
    """A suite whose own harness runs several tests of one profile in one call."""

    @property
    def payload(self) -> Path | None:
        """A tar archive for the guest's `remote` directory."""

    @property
    def remote(self) -> str:
        """The payload's directory in the guest; its name depends on the content, so an existing one is up to date."""

    @property
    def disk(self) -> Path | None:
        """The payload as an ext4 image, for guests that can attach a disk; nothing is sent to those."""

    def chunk_command(self, tests: Sequence[PlannedTest]) -> tuple[tuple[str, ...], str]:
        """The argv that runs these tests in this order, and its working directory in the guest."""

    def output_parser(self, tests: Sequence[PlannedTest]) -> OutputParser:
        """A parser of that command's output."""

    def console_mark(self, test: TestId) -> str:
        """What the harness writes to the kernel log when it starts a test."""

    def keep_command(self, test: TestId | None, profile: str, limit: int) -> tuple[str, ...]:
        """The argv that writes the files of a test to stdout, as a tar; files are cut at `limit` bytes.

        None: the harness's own record of the profile.
        """

    def sweep_command(self) -> tuple[str, ...]:
        """The argv that prints why the guest should not be used any longer (leftovers of earlier tests), one reason per
        line.

        It also runs before each chunk, because leftovers that were there before the tests belong to the guest.
        """

    def reconcile(self, directory: Path, told: Mapping[TestId, Outcome]) -> Sequence[str]:
        """Contradictions between the harness's own record, kept below `directory`, and its output; one line each."""


@runtime_checkable
class BootSuite(PreparedSuite, Protocol):
    """A suite whose tests run while the kernel boots."""

    def cmdline(self, tests: Sequence[TestId]) -> tuple[str, ...]:
        """Kernel parameters for a boot that runs exactly these tests; an empty list runs none."""

    async def collect(
        self, tests: Sequence[TestId], log: Sequence[str], ssh: SshTarget | None, *, timeout: float
    ) -> Mapping[TestId, Outcome]:
        """The outcomes of these tests: from the booted guest and its kernel log, or from the console of a guest that
        did not boot.

        Tests that the boot did not reach are absent.
        """

    def divide(self, tests: Sequence[TestId], log: Sequence[str]) -> Sequence[tuple[TestId | None, Sequence[str]]]:
        """The log cut into parts, in order, each with the test that was running, or None."""


class Suite(Protocol):
    """One kind of tests, as requested by the lab file."""

    @property
    def name(self) -> str:
        """The suite's name in lab.yaml."""

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """The kernel options that the suite needs. Raises UserError for tests that the tree does not have."""

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedSuite:
        """Build what the tests need. Raises UserError if a chosen test cannot be built."""


@runtime_checkable
class PreflightSuite(Suite, Protocol):
    """A suite that can detect before the build, and again once the image exists, that it cannot run."""

    async def preflight(self, series: str, *, cache: Path, report: Report) -> None:
        """Raise UserError for what can never run. `series` is the kernel's, "6.1"; empty if unknown."""

    def check_kernel(self, kernel_release: str, packages: Mapping[str, str] | None) -> None:
        """Raise UserError for what this kernel or these package versions of the image (None: unknown) cannot run."""
