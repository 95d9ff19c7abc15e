"""Which runs a log tells of, whose the files are, and whether report and log agree: tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kdevops.results.model import Status
from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.log_beside import Agreement, agreement
from kdevops.suites.fstests.parts import by_kernel_and_day, divide

PASS, FAIL, SKIP, CRASH, HANG, MISSING = Status
NONE: frozenset[str] = frozenset()


def run(kernel: str, day: str, *names: str) -> LoggedRun:
    return LoggedRun(kernel, frozenset(names), NONE, NONE, printed=day)


A, B = run("6.1.1", "mon", "g/1", "g/2"), run("6.1.2", "tue", "g/2", "g/3")
EMPTY = run("6.1.3", "wed")


@pytest.mark.parametrize(
    ("runs", "groups"),
    [
        ([], []),
        ([A], [[A]]),
        ([A, B], [[A], [B]]),
        ([A, run("6.1.1", "mon", "g/9")], [[A, run("6.1.1", "mon", "g/9")]]),
        ([A, run("6.1.1", "tue")], [[A], [run("6.1.1", "tue")]]),
        ([A, B, A], [[A, A], [B]]),
    ],
)
def test_a_kernel_and_a_day_are_a_run(runs: list[LoggedRun], groups: list[list[LoggedRun]]) -> None:
    assert by_kernel_and_day(runs, lambda text: text) == groups


@pytest.mark.parametrize(
    ("groups", "files", "parts"),
    [
        pytest.param([], "g/1", [], id="no log"),
        pytest.param([[]], "g/1", [("", "g/1", True)], id="files and no paragraph"),
        pytest.param([[A]], "g/1 g/7", [("6.1.1", "g/1 g/7", True)], id="the only run has what nobody knows, too"),
        pytest.param(
            [[A], [B]],
            "g/1 g/2 g/3 g/7",
            [("6.1.1", "g/1", False), ("6.1.2", "g/1 g/2 g/3 g/7", True)],
            id="a file is of the last run that had its test",
        ),
        pytest.param([[EMPTY], [A]], "", [("6.1.1", "", True)], id="an older run without tests is none"),
        pytest.param([[A], [EMPTY]], "g/1", [("6.1.1", "g/1", False), ("6.1.3", "g/1", True)], id="the last one is"),
        pytest.param(
            [[A], [A], [B]],
            "g/1 g/2",
            [("6.1.1", "", False), ("6.1.1", "g/1", False), ("6.1.2", "g/1 g/2", True)],
            id="once a run has a file, no older one has it",
        ),
    ],
)
def test_whose_the_files_are(
    groups: Sequence[Sequence[LoggedRun]], files: str, parts: list[tuple[str, str, bool]]
) -> None:
    found = divide(groups, {name: (Path(name),) for name in files.split()})
    assert [
        (part.runs[0].kernel if part.runs else "", " ".join(sorted(part.files)), part.last) for part in found
    ] == parts


@pytest.mark.parametrize(
    ("said", "logged", "what"),
    [
        ({PASS}, {PASS}, Agreement.AGREE),
        ({PASS}, {MISSING}, Agreement.AGREE),
        ({PASS, FAIL}, {FAIL}, Agreement.AGREE),
        ({CRASH}, {FAIL}, Agreement.AGREE),
        ({HANG}, {FAIL}, Agreement.AGREE),
        ({PASS}, {FAIL}, Agreement.FAILED),
        ({SKIP}, {FAIL}, Agreement.FAILED),
        ({PASS}, {FAIL, SKIP}, Agreement.FAILED),
        ({FAIL}, {PASS}, Agreement.UNCLEAR),
        ({PASS}, {SKIP}, Agreement.UNCLEAR),
        ({FAIL}, {SKIP}, Agreement.UNCLEAR),
        ({CRASH}, {PASS}, Agreement.UNCLEAR),
    ],
)
def test_whether_report_and_log_agree(said: set[Status], logged: set[Status], what: Agreement) -> None:
    assert agreement(said, logged) is what
