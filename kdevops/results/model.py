"""What a test did, as data: the vocabulary of the runner, the store, the baseline and every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    """One test: `selftests/default/futex:run.sh`. The profile is "default" for suites that have none."""

    __test__ = False  # pytest: not a test class

    suite: str
    profile: str
    name: str

    def __str__(self) -> str:
        return f"{self.suite}/{self.profile}/{self.name}"


@dataclass(frozen=True, slots=True)
class Subtest:
    """One line of a test's own account (KTAP); `name` is the path of nested names joined with " / "."""

    name: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended. `seconds` is wall time in the guest; `reason` says why it was not a pass, in a line.

    `output` names the file with what the test printed, below the run's directory; `oops` is the kernel's report of its
    own trouble, the line that names it first. `subtests_cut` counts subtests that were too many to keep.
    """

    status: Status
    seconds: float = 0.0
    reason: str = ""
    subtests: tuple[Subtest, ...] = ()
    output: str = ""
    oops: str = ""
    guest: str = ""
    subtests_cut: int = 0


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
