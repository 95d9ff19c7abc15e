"""What is read from the output of fstests' check."""

import itertools

import pytest

from kdevops.results.model import Outcome, Status
from kdevops.suites.base import ParsedEnd, ParsedStart
from kdevops.suites.fstests import check_output
from kdevops.suites.fstests.check_output import CheckParser
from tests.suites.fstests.check_printed import (
    FAIL,
    HEADER,
    MISSING,
    OLD,
    PASS,
    REAL,
    SKIP,
    TIMESTAMPS,
    TODAY,
    TODAY_TOLD,
    check_parser,
    ends,
    plan,
    read,
)


def test_today() -> None:
    assert read(TODAY) == TODAY_TOLD


def test_what_is_printed_of_a_test_is_kept_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def text() -> str:
        (told,) = [event for event in check_parser("generic/004").feed(TODAY) if isinstance(event, ParsedEnd)]
        return told.text

    shown = text()
    assert shown.startswith("generic/004   2s ... [failed, exit status 1]- output mismatch (see ")
    assert shown.endswith("\n      123456789abc xfs: fix it\n\n")
    monkeypatch.setattr(check_output, "MAX_TEXT", 200)
    assert shown.startswith(text().partition("\n")[0])
    assert len(text()) <= 200


def test_the_real_one() -> None:
    reader = check_parser("generic/002", "generic/009", "generic/110", "xfs/008", "generic/999")
    assert ends([*reader.feed(REAL), *reader.close()]) == [
        ("generic/999", MISSING, 0, "check: unknown test, ignored"),
        ("generic/002", PASS, 9, ""),
        ("generic/009", PASS, 16, ""),
        ("generic/110", SKIP, 0, "Reflink not supported by test filesystem type: xfs"),
        ("xfs/008", PASS, 8, ""),
    ]
    assert reader.complaint == ""


def test_crlf_and_control_characters() -> None:
    assert read(TODAY.replace("\n", "\r\n")) == TODAY_TOLD
    assert read(TODAY.replace("generic/0", "\x1b[1mgeneric/0\x1b[0m\x07")[:60]) == []
    assert read("generic/001 1s ... \x1b[32m 5s\x1b[0m\ngeneric/002        [not run] \x1b]0;x\x07no\x00pe\n") == [
        ("generic/001", PASS, 5, ""),
        ("generic/002", SKIP, 0, "nope"),
    ]


def test_every_test_begins_before_it_ends() -> None:
    reader = check_parser("generic/001", "generic/002")
    one, two = (test.id for test in plan("generic/001", "generic/002"))
    assert reader.feed(HEADER + "generic/0") == []
    assert reader.feed("01 79s") == []
    assert reader.feed(" ... ") == [ParsedStart(one)]
    assert reader.feed(" 80") == []
    assert reader.feed("s\n") == []
    assert reader.feed("generic/002  ") == [
        ParsedEnd(one, Outcome(PASS, 80.0), "generic/001 79s ...  80s\n"),
        ParsedStart(two),
    ]
    assert ends(reader.feed("      7s\nRan: generic/001 generic/002\n")) == [("generic/002", PASS, 7, "")]
    assert reader.close() == []


def test_old_trees() -> None:
    assert read(OLD) == [
        ("generic/001", PASS, 5, ""),
        ("generic/002", PASS, 1, ""),
        ("generic/003", SKIP, 0, "no such feature"),
        ("generic/004", FAIL, 0, "failed, exit status 1"),
        ("generic/005", FAIL, 0, "_check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (c)"),
        ("generic/006", FAIL, 0, "dumped core"),
        ("generic/007", PASS, 4, ""),
        ("generic/008", SKIP, 0, "xfs_io fpunch failed (old kernel/wrong fs?)"),
        ("generic/009", FAIL, 0, "no qualified output"),
    ]


def test_timestamps() -> None:
    assert read(TIMESTAMPS) == [
        ("generic/001", PASS, 4, ""),
        ("generic/002", SKIP, 0, "this test requires a valid $SCRATCH_DEV"),
        ("generic/003", FAIL, 0, "output mismatch"),
        ("generic/004", PASS, 1, ""),
    ]


def test_noise_without_an_end_of_line_is_seen_through_once_check_has_gone_on() -> None:
    assert read("generic/001 4s ... noise 5s\ngeneric/002  ") == [("generic/001", PASS, 5, "")]
    assert read("generic/001 4s ... for 5s\n[failed, exit status 1]\nRan:") == [
        ("generic/001", FAIL, 0, "failed, exit status 1")
    ]


def test_a_core_of_a_test_that_did_not_run_is_a_skip_as_check_counts_it() -> None:
    assert read("generic/001        [dumped core][not run] no\n") == [("generic/001", SKIP, 0, "no")]


def test_seconds_of_a_failure_are_ours() -> None:
    ticks = itertools.count(100.0, 5.0)
    reader = CheckParser(plan("generic/001"), clock=lambda: next(ticks))
    reader.feed("generic/001  ")
    assert ends(reader.feed("- output mismatch (see x)\nRan: generic/001\n")) == [
        ("generic/001", FAIL, 5, "output mismatch")
    ]


def test_repetitions_are_told_in_order() -> None:
    text = "generic/001        1s\ngeneric/001 1s ... - output mismatch (see x)\ngeneric/001 1s ...  3s\n"
    names = ("generic/001", "generic/001#2", "generic/001#3")
    assert read(text * 2, *names) == [
        ("generic/001", PASS, 1, ""),
        ("generic/001#2", FAIL, 0, "output mismatch"),
        ("generic/001#3", PASS, 3, ""),
    ]


def test_a_rerun_loop_keeps_the_first_end() -> None:
    text = (
        "generic/001        - output mismatch (see x)\n    ...\ngeneric/001         1s\n"
        "generic/001 aggregate results across 2 runs: fail=1 (50.0%), pass=1 (50.0%)\ngeneric/002         1s\n"
    )
    assert read(text) == [("generic/001", FAIL, 0, "output mismatch"), ("generic/002", PASS, 1, "")]


def test_a_refused_test_is_missing_with_the_reason() -> None:
    text = "generic/999 - unknown test, ignored\n" + HEADER + "generic/001         1s\ngeneric/003  - no such test?\n"
    assert read(text, "generic/001", "generic/999", "generic/003") == [
        ("generic/999", MISSING, 0, "check: unknown test, ignored"),
        ("generic/001", PASS, 1, ""),
        ("generic/003", MISSING, 0, "check: no such test?"),
    ]


def test_tests_that_nobody_planned_are_passed_over() -> None:
    text = "generic/001         1s\nbtrfs/001        [not run] no\n  9s\ngeneric/002         2s\n"
    assert read(text, "generic/001", "generic/002") == [("generic/001", PASS, 1, ""), ("generic/002", PASS, 2, "")]


@pytest.mark.parametrize(
    "text",
    [
        "generic/001 79s ... ",
        "generic/001 79s ... [failed, exit status 1]",
        "generic/001 79s ... _check_xfs_filesystem: filesystem on /dev/vdb is inconsistent\n(see x for details)\n",
        "generic/001 79s ...  8",
        "generic/001 79s ... Ran: generic/001\nInterrupted!\nPassed all 1 tests\n",
        "generic/001 79s ... xfs_repair: tried for 5s\n[ 12.000000] reboot",
        "generic/001        noise\n tried for 5s\n",
        "generic/001        noise\n tried for 5s\nRan: generic/001\n",
    ],
)
def test_what_is_not_certain_is_not_told(text: str) -> None:
    reader = check_parser("generic/001")
    events = [*reader.feed(text), *reader.close()]
    assert events == [ParsedStart(plan("generic/001")[0].id)]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("generic/001 79s ...  80s\n", PASS),
        ("generic/001 79s ... [failed, exit status 1]- output mismatch (see x)\n    --- tests", FAIL),
        ("generic/001 79s ... [failed, exit status 1]\n", FAIL),
        ("generic/001 79s ... _check_dmesg: something found in dmesg (see x)\n\n", FAIL),
        ("generic/001        [not run] the reason", SKIP),
    ],
)
def test_what_is_certain_is_told_when_check_dies_after_it(text: str, status: Status) -> None:
    assert [each[1] for each in read(text)] == [status]


def test_memory_is_bounded_and_the_end_of_an_endless_line_counts() -> None:
    reader = check_parser("generic/001")
    reader.feed("generic/001        ")
    for _ in range(200):
        reader.feed("x" * 10_000)
        assert len(reader._rest) <= 2 * check_output.MAX_LINE
    assert ends(reader.feed(" 5s\ngeneric/002  ")) == [("generic/001", PASS, 5, "")]
