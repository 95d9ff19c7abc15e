"""What `check.log` tells beside a report or without one: whose run a paragraph is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.results.model import Status
from tests.suites.fstests.field_samples import (
    FAIL,
    MISSING,
    NAMES,
    PASS,
    TIMES,
    UNFINISHED,
    case,
    found,
    only,
    paragraph,
    prop,
    statuses,
    suite,
)


@pytest.mark.parametrize(
    ("kernel", "date"),
    [
        ("6.1.100", "Sat May  4 2024"),
        ("6.1.120", "Sat May  4 09:59:59 CEST 2024"),
        ("6.1.120", "Tue Jun  4 09:59:59 CEST 2024"),
        ("6.1.120", "Tue 04 Jun 2024 09:59:59 AM CEST"),
        ("6.1.100", "Tue Jun  4 10:00:30 CEST 2024"),
    ],
)
def test_what_another_run_knows_is_not_of_this_one(tmp_path: Path, kernel: str, date: str) -> None:
    (section,) = found(tmp_path, result_xml=UNFINISHED, check_time=TIMES, check_log=paragraph(kernel, date, NAMES))
    assert statuses(section) == {
        "generic/001": PASS,
        "generic/002": PASS,
        "generic/003": MISSING,
        "generic/004": MISSING,
    }
    assert any("check.log contains another run" in note for note in section.notes)


@pytest.mark.parametrize(
    ("date", "own"),
    [
        ("2024-06-04T10:00:00", True),
        ("2024-06-04", True),
        ("Tue Jun  4 10:00:00 UTC 2024", True),
        ("2024-06-05", False),
        ("Tue Jun  4 11:30:00 UTC 2024", False),
    ],
)
def test_a_date_among_the_properties(tmp_path: Path, date: str, own: bool) -> None:
    log = paragraph("6.1.99", "Tue Jun  4 10:00:30 UTC 2024", "generic/002")
    result = only(tmp_path, results_xml=suite(case("generic/001"), properties=prop("DATE", date)), check_log=log)
    assert result == {"generic/001": PASS} | ({"generic/002": PASS} if own else {})


def test_seconds_of_another_run_add_no_test_to_a_whole_report(tmp_path: Path) -> None:
    text = suite(case("generic/001"), case("generic/002"))
    assert only(tmp_path, result_xml=text, check_time=TIMES) == {"generic/001": PASS, "generic/002": PASS}


def test_two_kernels_in_a_log_are_two_runs(tmp_path: Path) -> None:
    log = paragraph("6.1.100", "Sat May  4 2024", "xfs/001 xfs/002 xfs/003", "xfs/002")
    log += paragraph("6.6.30", "Sat Jun  4 2024", "xfs/003")
    first, second = found(tmp_path, check_log=log, **{"xfs__002.out.bad": "bad"})
    assert (first.kernel, statuses(first)) == ("6.1.100", {"xfs/001": PASS, "xfs/002": FAIL, "xfs/003": PASS})
    assert first.outcomes["xfs/002"].reason == "output mismatch"
    assert (second.kernel, statuses(second)) == ("6.6.30", {"xfs/003": PASS})


def test_two_days_in_a_log_are_two_runs_and_one_day_is_one(tmp_path: Path) -> None:
    log = paragraph("6.1.100", "Sat May  4 10:00:00 UTC 2024", "xfs/001 xfs/002", "xfs/002")
    log += paragraph("6.1.100", "Sat May  4 11:00:00 UTC 2024", "xfs/002")
    log += paragraph("6.1.100", "Sun May  5 11:00:00 UTC 2024", "xfs/002")
    first, second = found(tmp_path, check_log=log)
    assert statuses(first) == {"xfs/001": PASS, "xfs/002": FAIL, "xfs/002#2": PASS}
    assert statuses(second) == {"xfs/002": PASS}


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("\nKernel version: 6.6.30\nSat Jun  4 2024\nPassed all 0 tests\n", {"xfs/001": MISSING, "xfs/002": MISSING}),
        ("\nKernel version: 6.6.30\nSat Jun  4 2024\n", {"xfs/001": MISSING, "xfs/002": MISSING}),
        ("\nKernel version: 6.6.30\nSat Jun  4 2024\nInterrupted!\n", {"xfs/001": MISSING, "xfs/002": MISSING}),
        ("\nKernel version: 6.6.30\nSat Jun  4 2024\nRan: xfs/001 xfs/0", {"xfs/001": MISSING, "xfs/002": MISSING}),
        (
            "\nKernel version: 6.6.30\nSat Jun  4 2024\nRan: xfs/001 xfs/002 xfs/003\nFailures: xfs/002\n",
            {"xfs/001": MISSING, "xfs/002": FAIL, "xfs/003": MISSING},
        ),
        (
            paragraph("6.6.30", "x", "xfs/001 xfs/002", last="Passed all 3 tests"),
            {"xfs/001": MISSING, "xfs/002": MISSING},
        ),
        (
            paragraph("6.6.30", "x", "xfs/001 xfs/002", last="Failed 1 of 2 tests"),
            {"xfs/001": MISSING, "xfs/002": MISSING},
        ),
    ],
)
def test_a_log_that_does_not_say_how_the_last_run_ended(tmp_path: Path, last: str, expected: dict[str, Status]) -> None:
    log = paragraph("6.1.100", "Sat May  4 2024", "xfs/001 xfs/002") + last
    sections = found(tmp_path, check_log=log)
    assert [each.kernel for each in sections] == ["6.1.100", "6.6.30"]
    assert [statuses(each) for each in sections] == [{"xfs/001": PASS, "xfs/002": PASS}, expected]
