"""The record of `check` itself for a section: `result.xml`, `check.time` and `check.log`.

`check.time` has a line for each test that ever passed there, `generic/003 12`, in seconds, which says nothing about a
single run. xfstests-bld has `results.xml` instead of `result.xml`, or in addition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.fstests.check_log import LoggedRun, lines_of, read_log
from kdevops.suites.fstests.check_output import check_name
from kdevops.suites.fstests.xunit import read_report
from kdevops.suites.fstests.xunit_cases import Case, Report
from kdevops.text import clean

REPORT = "result.xml"
REPORTS = ("results.xml", REPORT, f"{REPORT}.broken")
"""xfstests-bld's report of all tests, the report of `check`, and one of `check` that xfstests-bld could not read."""
_TIME = re.compile(r"(\S{1,200}) (\d{1,9})")
_EXPUNGED = "expunged"
_TIMES, _LOG = "check.time", "check.log"


@dataclass(frozen=True, slots=True)
class Record:
    """The whole record: reports by file name, seconds of tests that passed once by name, runs in order."""

    reports: Mapping[str, Report]
    times: Mapping[str, int]
    runs: tuple[LoggedRun, ...]

    @property
    def report(self) -> Report | None:
        """The report of `check` itself; None if there is none."""
        return self.reports.get(REPORT)


def read_record(directory: Path) -> Record:
    """The record in a section's directory, without links out of it. Raises OSError if a file cannot be read."""
    path = {name: directory / name for name in (*REPORTS, _TIMES, _LOG) if not _leads_out(directory / name)}
    reports = {name: report for name in REPORTS if name in path and (report := read_report(path[name]))}
    times, log = path.get(_TIMES), path.get(_LOG)
    return Record(reports, _read_times(times) if times else {}, read_log(log) if log else ())


def _leads_out(path: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve())


def reconcile(directory: Path, told: Mapping[TestId, Outcome]) -> list[str]:
    """Contradictions between the record in `directory` and `told`, the output of one run of `check`; one line each.

    `check.time` and `check.log` are compared only if that run finished, because `check` writes them at its end.
    """
    printed = {test: outcome for test, outcome in told.items() if outcome.status.ended_by_itself}
    recorded = {test: outcome for test, outcome in printed.items() if outcome.reason != _EXPUNGED}
    record = read_record(directory)
    if record.report is None:
        return ["there is no result.xml"] if recorded else []
    lines = [f"result.xml {record.report.trouble}"] if record.report.trouble else []
    ignored = {check_name(test) for test in told.keys() - recorded.keys()}
    lines += _compare_cases(recorded, record.report.cases, ignored)
    names = {check_name(test) for test in recorded}
    if record.runs and names and names <= record.runs[-1].ran:
        if record.runs[-1].broken:
            return [*lines, record.runs[-1].broken]
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
            yield f"{test.name}: check printed {outcome.status}, but result.xml does not list it"
            continue
        case = same.pop(0)
        if case.status is not outcome.status:
            because = f" ({case.reason})" if case.reason else ""
            yield f"{test.name}: check printed {outcome.status}, but result.xml says {case.status}{because}"
        elif case.status is Status.PASS and case.seconds != outcome.seconds:
            yield f"{test.name}: check printed {outcome.seconds:g} s, but result.xml says {case.seconds:g} s"
    for name, rest in left.items():
        if name not in ignored:
            yield from (f"{name}: result.xml says {case.status}, but check printed no result" for case in rest)


def _compare_log(told: Mapping[TestId, Outcome], run: LoggedRun) -> Iterator[str]:
    printed: dict[str, set[Status]] = {}
    for test, outcome in told.items():
        printed.setdefault(check_name(test), set()).add(outcome.status)
    for name, statuses in printed.items():
        # The log has names only: of a test that ran several times it shows the worst.
        if run.status(name) not in statuses or (Status.FAIL in statuses and name not in run.failed):
            yield f"{name}: check printed {'/'.join(sorted(statuses))}, but check.log says {run.status(name)}"


def _compare_times(last: Mapping[str, Outcome], times: Mapping[str, int]) -> Iterator[str]:
    for name, outcome in last.items():
        if outcome.status is Status.PASS and times.get(name) != outcome.seconds:
            says = f"says {times[name]} s" if name in times else "does not list it"
            yield f"{name}: check printed {outcome.seconds:g} s, but check.time {says}"


def _read_times(path: Path) -> dict[str, int]:
    found = (_TIME.fullmatch(line.strip()) for line in lines_of(path))
    return {clean(match[1]): int(match[2]) for match in found if match}
