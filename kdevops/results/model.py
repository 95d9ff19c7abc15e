"""Test results as data: the common types of the runner, the store, the baseline and all reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from kdevops.lab.suites import for_tests

_REPEAT = re.compile(r"(?P<plain>.+)#(?:[2-9]|[1-9][0-9]+)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class Ending:
    """The facts of a status, all that there are: nothing else lists statuses, but asks for one of these.

    `severity` orders statuses, the worst has the most. `ran`: the test came to run, and what it did says something of it.
    `by_itself`: the test said so itself, and nothing else ended it. `is_bad`: it went wrong, as a regression does.
    The others are for reports: the `adjective` of a count, the `heading` above those without a result or "", rich's `style`,
    the element of JUnit and the directive of KTAP, each "" where there is none.
    """

    severity: int
    ran: bool
    by_itself: bool
    is_bad: bool
    adjective: str
    heading: str
    style: str
    junit: str
    ktap: str


class Status(StrEnum):
    """How a planned test ended. Exactly one of these, always."""

    ending: Ending

    def __new__(cls, value: str, ending: Ending) -> Status:
        """A member, which cannot be without its facts."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.ending = ending
        return member

    PASS = (
        "pass",
        Ending(
            severity=2, ran=True, by_itself=True, is_bad=False,
            adjective="passed", heading="", style="green", junit="", ktap="",
        ),
    )  # fmt: skip
    FAIL = (
        "fail",
        Ending(
            severity=3, ran=True, by_itself=True, is_bad=True,
            adjective="failed", heading="", style="red", junit="failure", ktap="",
        ),
    )  # fmt: skip
    SKIP = (
        "skip",
        Ending(
            severity=1, ran=False, by_itself=True, is_bad=False,
            adjective="skipped", heading="Skipped", style="yellow", junit="skipped", ktap="SKIP",
        ),
    )  # fmt: skip
    CRASH = (
        "crash",
        Ending(
            severity=5, ran=True, by_itself=False, is_bad=True,
            adjective="crashed", heading="", style="bold red", junit="error", ktap="ERROR",
        ),
    )  # fmt: skip
    HANG = (
        "hang",
        Ending(
            severity=4, ran=True, by_itself=False, is_bad=True,
            adjective="hung", heading="", style="bold red", junit="error", ktap="TIMEOUT",
        ),
    )  # fmt: skip
    MISSING = (
        "missing",
        Ending(
            severity=0, ran=False, by_itself=False, is_bad=False,
            adjective="missing", heading="No result", style="bold magenta", junit="error", ktap="ERROR",
        ),
    )  # fmt: skip

    @classmethod
    def read(cls, word: str) -> Status:
        """The status that is written so. Raises ValueError for another word."""
        return _WRITTEN.get(word) or cls(word)  # type: ignore[call-arg]  # mypy takes this for the making of a member

    @property
    def is_bad(self) -> bool:
        """A fail, a crash or a hang: what a regression is made of."""
        return self.ending.is_bad

    @property
    def is_well(self) -> bool:
        """A pass or a skip: nothing went wrong, by the test's own word."""
        return self.ending.by_itself and not self.ending.is_bad

    @property
    def ran(self) -> bool:
        """All but a skip and a missing result."""
        return self.ending.ran

    @property
    def ended_by_itself(self) -> bool:
        """A pass, a fail or a skip: the guest was there to the test's own end."""
        return self.ending.by_itself

    @property
    def ran_to_its_end(self) -> bool:
        """A pass or a fail: only these take as long as the test takes."""
        return self.ending.ran and self.ending.by_itself

    @property
    def took_the_guest(self) -> bool:
        """A crash or a hang: what ended the test ended the guest, too."""
        return self.ending.is_bad and not self.ending.by_itself


class _Parts(NamedTuple):
    """A tuple, because it is the key of every table, and a tuple is hashed several times faster than a dataclass."""

    suite: str
    profile: str
    name: str


class TestId(_Parts):
    """One test: `selftests/default/futex:run.sh`. The profile is "default" for suites that have none.

    A test that is planned several times is named `generic/001`, `generic/001#2`, `generic/001#3`.
    """

    __slots__ = ()
    __test__ = False  # pytest: not a test class

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
    """Whether the suite reserves "x#2" for repeats; in other suites it may be a test's own name."""
    kind = for_tests(suite)
    return kind is not None and kind.repeats


_WRITTEN = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True)
class Subtest:
    """One result line of a test's KTAP output; `name` is the path of nested names joined with " / "."""

    name: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KernelReport:
    """A kernel report during a test.

    `kind` is the kind of report, `signature` names the problem across runs ("WARNING in xfs_foo"), `title` is its first
    line as printed. `gates`: it is a kernel problem, as opposed to a file system's notice of an error that a test
    provoked, which is shown but does not make the run red.
    """

    kind: str
    signature: str
    title: str
    gates: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended. `seconds` is wall time in the guest; `reason` says why it was not a pass, in a line.

    `output` is the file with the test's output, relative to the run's directory; `oops` is the text of the kernel report
    that explains the status, title first, and `reports` are all kernel reports during the test. `subtests_cut` and
    `reports_cut` count those dropped because there were too many.
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
    """The state of a run. `INCOMPLETE`: ended with missing tests."""

    PLANNED = "planned"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of results per status, over any number of runs; `a + b` merges."""

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
        """The sum of all counts."""
        return sum(self.counts.values())

    @property
    def ran(self) -> int:
        """Number of all but skips and missing results."""
        return sum(number for status, number in self.counts.items() if status.ending.ran)

    @property
    def took_a_guest(self) -> bool:
        """Whether there is a crash or a hang among them."""
        return any(number and status.took_the_guest for status, number in self.counts.items())

    @property
    def bad(self) -> int:
        """Number of fails, crashes and hangs."""
        number = 0
        for status, count in self.counts.items():  # a loop: this is asked several times of every result
            if status.ending.is_bad:
                number += count
        return number
