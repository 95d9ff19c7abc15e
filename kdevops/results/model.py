"""What a test did, as data: the vocabulary of the runner, the store, the baseline and every report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kdevops.lab.suites import for_tests

_REPEAT = re.compile(r"(?P<plain>.+)#(?:[2-9]|[1-9][0-9]+)", re.DOTALL | re.ASCII)


class Status(StrEnum):
    """How a planned test ended. Exactly one of these, always."""

    PASS = "pass"  # noqa: S105 - the field's word, not a password
    FAIL = "fail"
    SKIP = "skip"
    CRASH = "crash"
    HANG = "hang"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, order=True)
class TestId:
    """One test: `selftests/default/futex:run.sh`. The profile is "default" for suites that have none.

    A test that is planned several times is named `generic/001`, `generic/001#2`, `generic/001#3`.
    """

    __test__ = False  # pytest: not a test class

    suite: str
    profile: str
    name: str

    def __str__(self) -> str:
        return f"{self.suite}/{self.profile}/{self.name}"

    def repeat(self, number: int) -> TestId:
        """This test for the `number`th time, counted from 1, which is the test itself.

        Raises ValueError for a suite that cannot run a test more than once in a run.
        """
        if number == 1:
            return self
        if number < 1 or not _repeats(self.suite):
            raise ValueError(f"{self} cannot be run for the {number}th time")
        return TestId(self.suite, self.profile, f"{self.name}#{number}")

    @property
    def plain(self) -> TestId:
        """The test that this is a repeat of; itself when it is none."""
        match = _REPEAT.fullmatch(self.name) if "#" in self.name else None
        return TestId(self.suite, self.profile, match["plain"]) if match and _repeats(self.suite) else self


def _repeats(suite: str) -> bool:
    """Whether no test of the suite has a "#" in its own name; elsewhere "x#2" may be one."""
    kind = for_tests(suite)
    return kind is not None and kind.repeats


@dataclass(frozen=True, slots=True)
class Subtest:
    """One line of a test's own account (KTAP); `name` is the path of nested names joined with " / "."""

    name: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KernelReport:
    """What the kernel said of trouble while a test ran.

    `kind` is the sort of report, `signature` names the trouble across runs ("WARNING in xfs_foo"), `title` is its first
    line as printed. `gates`: the kernel's own trouble, as opposed to a file system's notice of an error that a test
    provoked, which is told and makes no run red.
    """

    kind: str
    signature: str
    title: str
    gates: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended. `seconds` is wall time in the guest; `reason` says why it was not a pass, in a line.

    `output` names the file with what the test printed, below the run's directory; `oops` is the kernel's report that
    explains the end, the line that names it first, and `reports` are all that the kernel made meanwhile. `subtests_cut`
    and `reports_cut` count subtests and further reports that were too many to keep.
    """

    status: Status
    seconds: float = 0.0
    reason: str = ""
    subtests: tuple[Subtest, ...] = ()
    output: str = ""
    oops: str = ""
    guest: str = ""
    subtests_cut: int = 0
    reports: tuple[KernelReport, ...] = ()
    reports_cut: int = 0


class RunState(StrEnum):
    """Where a run stands. `INCOMPLETE` is an ended run with missing tests."""

    PLANNED = "planned"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a test ended how, over any number of runs; `a + b` merges."""

    counts: Mapping[Status, int] = field(default_factory=dict)

    @classmethod
    def of(cls, statuses: Iterable[Status]) -> Counts:
        """Count statuses."""
        table: dict[Status, int] = {}
        for status in statuses:
            table[status] = table.get(status, 0) + 1
        return cls(table)

    def __getitem__(self, status: Status) -> int:
        return self.counts.get(status, 0)

    def __add__(self, other: Counts) -> Counts:
        return Counts({s: n for s in Status if (n := self[s] + other[s])})

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """Fails, crashes and hangs: what a regression is made of."""
        return self[Status.FAIL] + self[Status.CRASH] + self[Status.HANG]
