"""The content of a report in xunit's format: suites of test cases, and how each case ended.

A case passed only if the report says so: its element is complete and contains nothing but output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kdevops.results.model import Status
from kdevops.suites.fstests.check_lines import MAX_REASON, failure
from kdevops.suites.fstests.moments import moment
from kdevops.text import clean

TEST_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,64}/)?\d{3,9}[A-Za-z0-9_-]{0,128}", re.ASCII)
"""A test in a record: `generic/001`, or `001` before 2013."""
RESULTS = frozenset({"failure", "error", "skipped"})
"""Elements that show how a case ended."""
OUTPUT = frozenset({"system-out", "system-err", "kernel-log", "properties"})
"""Elements that do not show how a case ended."""
SUITE = "testsuite"
"""The key of a suite's name among its properties."""
HOST = "hostname"
"""The key of the machine's name among a suite's properties."""
_MAX_NAME = 100
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_STUCK = re.compile(r"time[d ]*-?out|\bhung\b|\bhangs?\b|\bstuck\b|no progress", re.IGNORECASE)
_CRASHED = re.compile(r"crash|panic|oops|\bBUG\b", re.IGNORECASE)
_RAN = frozenset({"", "pass", "passed", "ok", "success", "run", "completed"})
"""Values of the attributes `status` and `result`, written by some tools, that do not contradict a pass."""
STAMPS = ("start_timestamp", "timestamp", "report_timestamp")
"""When `check` started, when its last test started, when the report was written. Before 2023 only the second exists."""
_DATES = ("TIMESTAMP", "DATE")
"""Properties with a date, used if no attribute has one."""
_DAY = timedelta(hours=24, seconds=-1)
_SLACK = timedelta(minutes=5)
"""How much longer `check` may have run than it says, if there is only one stamp."""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded test, the seconds it took, and why it did not pass.

    MISSING: the report names the test, but its result is uncertain. `difference`: between expected and real output.
    """

    name: str
    status: Status
    seconds: float = 0
    reason: str = ""
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """One `<testsuite>`: its tests in order, its machine and configuration, its totals.

    `strangers` are cases whose names are not tests: xfstests-bld adds `preempted` and `timeout`. `declared` has those
    of the attributes tests, failures, errors, skipped that are numbers. `began` and `ended` are local time of the
    machine that ran the tests, and `stamp` is the last moment that the report names. `finished`: written at the end of
    `check`; newer trees also write it before each test.
    """

    cases: tuple[Case, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[Case, ...] = ()
    declared: Mapping[str, int] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None
    finished: bool = True
    stamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its suites, and one line about what is wrong with it, "" if nothing is."""

    suites: tuple[Suite, ...] = ()
    trouble: str = ""

    @property
    def cases(self) -> tuple[Case, ...]:
        """The tests of all suites."""
        return tuple(case for suite in self.suites for case in suite.cases)

    @property
    def finished(self) -> bool:
        """Whether it was written at the end of `check` and read completely."""
        return not self.trouble and all(suite.finished for suite in self.suites)


def conclude(
    attributes: Mapping[str, str], results: Sequence[tuple[str, str]], doubt: str = "", difference: str = ""
) -> Case:
    """The case with these attributes; `results` are tag and message of its result elements.

    `difference` is that between expected and real output. `doubt` describes unknown content; then it is neither a pass nor
    a skip.
    """
    name, time = attributes.get("name", "").strip(), attributes.get("time", "")
    seconds = float(time) if _SECONDS.fullmatch(time) else 0.0
    for said in ("status", "result"):
        value = attributes.get(said, "")
        if not doubt and value.lower() not in _RAN and not results:
            doubt = f'it has {said}="{clean(value, 40)}"'
    ends = sorted(((_status(*result), result[1]) for result in results), key=lambda end: -end[0].ending.severity)
    status, message = ends[0] if ends else (Status.PASS, "")
    if doubt and status.is_well:
        return Case(name, Status.MISSING, seconds, clean(f"the report does not say how it ended: {doubt}", MAX_REASON))
    known = failure(message) if status is Status.FAIL else ""
    return Case(name, status, seconds, known or clean(message, MAX_REASON), difference if status is Status.FAIL else "")


def suite_of(attributes: Mapping[str, str], properties: Mapping[str, str], cases: Iterable[Case]) -> Suite:
    """The suite with these attributes."""
    tests: list[Case] = []
    strangers: list[Case] = []
    for case in cases:
        (tests if TEST_NAME.fullmatch(case.name) else strangers).append(case)
    declared = {
        name: int(attributes[name])
        for name in ("tests", "failures", "errors", "skipped")
        if _COUNT.fullmatch(attributes.get(name, ""))
    }
    time = attributes.get("time")
    took = timedelta(seconds=float(time) if time and _SECONDS.fullmatch(time) else sum(case.seconds for case in tests))
    first, last, written = (moment(attributes.get(name, ""))[0] for name in STAMPS)
    stamp = written or last or first
    if not stamp:
        last, timed = next((found for name in _DATES if (found := moment(properties.get(name, "")))[0]), (None, True))
        stamp = last
        first, written = (None, None) if timed else (last, _moved(last, _DAY))
    host = {HOST: name} if (name := clean(attributes.get(HOST, ""), _MAX_NAME)) else {}
    return Suite(
        tuple(tests),
        {SUITE: clean(attributes.get("name", ""), MAX_REASON), **host, **properties},
        tuple(strangers),
        declared,
        began=first or _moved(last or written, -took - _SLACK),
        ended=written or _moved(last or first, took + _SLACK),
        finished=time != "",
        stamp=stamp,
    )


def _status(tag: str, message: str) -> Status:
    if tag == "error":
        return Status.HANG if _STUCK.search(message) and not _CRASHED.search(message) else Status.CRASH
    return Status.FAIL if tag == "failure" else Status.SKIP


def _moved(stamp: datetime | None, by: timedelta) -> datetime | None:
    try:
        return stamp + by if stamp else None
    except OverflowError:
        return None
