"""Results as xfstests-bld and `check` write them, in small pieces."""

from __future__ import annotations

from pathlib import Path

from kdevops.results.model import Status
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.shared.imports import Section

PASS, FAIL, SKIP, CRASH, HANG, MISSING = Status
ERROR = '<error message="Machine rebooted (crash or test timeout)" type="TestFail"/>'
FAILURE = '<failure message="- output mismatch (see /results/generic/082.out.bad)" type="TestFail"/>'
SKIPPED = '<skipped message="no such feature"/>'


def case(name: str, inner: str = "", extra: str = "") -> str:
    return f'<testcase classname="xfstests.global" name="{name}" time="5"{extra}>{inner}</testcase>\n'


def suite(*cases: str, totals: str = "", kernel: str = "6.1.99", properties: str = "", extra: str = "") -> str:
    totals = totals or f'tests="{len(cases)}"'
    return (
        f'<testsuite name="xfstests" {totals} time="61" {extra}>\n<properties><property name="KERNEL" value="{kernel}"/>'
        f"{properties}</properties>\n{''.join(cases)}</testsuite>\n"
    )


def prop(name: str, value: str) -> str:
    return f'<property name="{name}" value="{value}"/>'


def paragraph(kernel: str, date: str, ran: str, failures: str = "", last: str = "") -> str:
    bad = f"Failures: {failures}\n" if failures else ""
    numbers = len(failures.split()), len(ran.split())
    last = last or (f"Failed {numbers[0]} of {numbers[1]} tests" if failures else f"Passed all {numbers[1]} tests")
    return f"\nKernel version: {kernel}\n{date}\nRan: {ran}\n{bad}{last}\n"


def found(directory: Path, **files: str) -> list[Section]:
    """Sections of a directory with these files; in a name __ is for /, _ for a dot."""
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return find_sections(directory)


def statuses(section: Section) -> dict[str, Status]:
    return {name: end.status for name, end in section.outcomes.items()}


def only(directory: Path, **files: str) -> dict[str, Status]:
    (section,) = found(directory, **files)
    return statuses(section)


UNFINISHED = suite(
    case("generic/001"),
    case("generic/002"),
    kernel="6.1.120",
    extra='start_timestamp="2024-06-04T10:00:00+02:00" report_timestamp="2024-06-04T10:01:00+02:00"',
).replace('time="61"', 'time=""')
TIMES = "generic/001 5\ngeneric/002 3\ngeneric/003 7\ngeneric/004 2\n"
NAMES = "generic/001 generic/002 generic/003 generic/004"
