"""The record that fstests' `check` itself keeps of a section: `result.xml`, `check.time` and `check.log`.

`check.time` has a line for each test that ever passed there, `generic/003 12`, in seconds. `check.log` gets a paragraph
at the end of each run of `check`, with lines that begin with `Kernel version:`, `Ran:`, `Not run:` and `Failures:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.text import clean
from kdevops.suites.fstests.check_output import check_name
from kdevops.suites.fstests.xunit import Case, Report, read_report

_MAX_TEXT = 16 << 20
_TIME = re.compile(r"(\S{1,200}) (\d{1,9})")
_EXPUNGED = "expunged"
_RECORDED = (Status.PASS, Status.FAIL, Status.SKIP)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run of `check`, by its paragraph in `check.log`. `interrupted` is the test that was running when it was ended."""

    kernel: str
    ran: frozenset[str]
    skipped: frozenset[str]
    failed: frozenset[str]
    interrupted: str = ""

    def status(self, name: str) -> Status:
        """How a test of this run ended: what ran and neither failed nor was skipped passed."""
        if name in self.failed:
            return Status.FAIL
        if name in self.skipped:
            return Status.SKIP
        return Status.MISSING if name == self.interrupted else Status.PASS


@dataclass(frozen=True, slots=True)
class Record:
    """All of it: the report (None when there is none), seconds of passed tests by name, runs in order."""

    report: Report | None
    times: Mapping[str, int]
    runs: tuple[LoggedRun, ...]


def read_record(directory: Path) -> Record:
    """What `check` recorded in a section's directory. Raises OSError when a file cannot be read."""
    report = read_report(directory / "result.xml")
    return Record(report, _read_times(directory / "check.time"), _read_log(directory / "check.log"))


def reconcile(directory: Path, told: Mapping[TestId, Outcome]) -> list[str]:
    """Where the record in `directory` contradicts what one run of `check` printed, which is `told`; a line each.

    `check.time` and `check.log` are compared when that run of `check` came to its end; before, they know nothing of it.
    """
    printed = {test: outcome for test, outcome in told.items() if outcome.status in _RECORDED}
    recorded = {test: outcome for test, outcome in printed.items() if outcome.reason != _EXPUNGED}
    record = read_record(directory)
    if record.report is None:
        return ["there is no result.xml"] if recorded else []
    lines = [f"result.xml {record.report.trouble}"] if record.report.trouble else []
    ignored = {check_name(test) for test in told.keys() - recorded.keys()}
    lines += _compare_cases(recorded, record.report.cases, ignored)
    names = {check_name(test) for test in recorded}
    if record.runs and names and names <= record.runs[-1].ran:
        last = {check_name(test): outcome for test, outcome in recorded.items()}
        lines += _compare_log(recorded, record.runs[-1])
        lines += _compare_times(last, record.times)
    return lines


def _compare_cases(told: Mapping[TestId, Outcome], cases: Sequence[Case], ignored: set[str]) -> Iterator[str]:
    left: dict[str, list[Case]] = {}
    for case in cases:
        left.setdefault(case.name, []).append(case)
    for test, outcome in told.items():
        same = left.get(check_name(test))
        if not same:
            yield f"{test.name}: check printed {outcome.status}, and result.xml does not know it"
            continue
        case = same.pop(0)
        if case.status is not outcome.status:
            because = f" ({case.reason})" if case.reason else ""
            yield f"{test.name}: check printed {outcome.status}, and result.xml says {case.status}{because}"
        elif case.status is Status.PASS and case.seconds != outcome.seconds:
            yield f"{test.name}: check printed {outcome.seconds:g} s, and result.xml says {case.seconds} s"
    for name, rest in left.items():
        if name not in ignored:
            yield from (f"{name}: result.xml says {case.status}, and check printed no end of it" for case in rest)


def _compare_log(told: Mapping[TestId, Outcome], run: LoggedRun) -> Iterator[str]:
    printed: dict[str, set[Status]] = {}
    for test, outcome in told.items():
        printed.setdefault(check_name(test), set()).add(outcome.status)
    for name, statuses in printed.items():
        # The log knows names only: of a test that ran several times it keeps the worst.
        if run.status(name) not in statuses or (Status.FAIL in statuses and name not in run.failed):
            yield f"{name}: check printed {'/'.join(sorted(statuses))}, and check.log says {run.status(name)}"


def _compare_times(last: Mapping[str, Outcome], times: Mapping[str, int]) -> Iterator[str]:
    for name, outcome in last.items():
        if outcome.status is Status.PASS and times.get(name) != outcome.seconds:
            says = f"says {times[name]} s" if name in times else "does not have it"
            yield f"{name}: check printed {outcome.seconds:g} s, and check.time {says}"


def _read_times(path: Path) -> dict[str, int]:
    found = (_TIME.fullmatch(line.strip()) for line in _lines(path))
    return {clean(match[1]): int(match[2]) for match in found if match}


def _read_log(path: Path) -> tuple[LoggedRun, ...]:
    runs: list[LoggedRun] = []
    kernel, interrupted = "", False
    lists: dict[str, list[str]] = {}
    for line in _lines(path):
        word, _, rest = line.partition(":")
        if word == "Kernel version":
            kernel = clean(rest, 100)
        elif word in {"Ran", "Not run", "Failures"}:
            lists[word] = clean(rest).split()
        elif line.startswith("Interrupted!"):
            interrupted = True
        elif line.startswith(("Failed ", "Passed all ")):
            ran, skipped, failed = (lists.get(name, []) for name in ("Ran", "Not run", "Failures"))
            if ran:
                last = ran[-1] if interrupted else ""
                runs.append(LoggedRun(kernel, frozenset(ran), frozenset(skipped), frozenset(failed), last))
            lists, kernel, interrupted = {}, "", False
    return tuple(runs)


def _lines(path: Path) -> list[str]:
    """The lines of a text file, of a very long one those of its end; none when it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _MAX_TEXT))
            return file.read(_MAX_TEXT).decode(errors="replace").split("\n")
    except FileNotFoundError:
        return []
