"""A kernel's log, cut between the marks of a test."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import end_position
from kdevops.guest.execute import Marks
from kdevops.run.drive.kernel_log import KernelLog, before_tests, between, divide
from tests.support.local_guest import LocalGuest, LocalProvider

MARKS = Marks("begin commands/default/ä 01234567", "end commands/default/ä 89abcdef")
BEGIN = "[    1.000000] kdevops: begin commands/default/\\xc3\\xa4 01234567"
END = "[    2.000000] kdevops: end commands/default/\\xc3\\xa4 89abcdef"


def test_between_the_marks() -> None:
    assert between(["before", BEGIN, "during", END, "after"], MARKS) == ["during"]


def test_a_log_that_lost_its_beginning_is_all_the_tests() -> None:
    assert between(["during", END], MARKS) == ["during"]


def test_without_an_end_nothing_is_known() -> None:
    assert between(["before", BEGIN, "during"], MARKS) is None


def test_a_beginning_that_the_test_says_again_hides_nothing() -> None:
    assert between([BEGIN, "during", BEGIN, END], MARKS) == ["during", BEGIN]


def test_what_stands_before_the_beginning_is_not_the_tests() -> None:
    cut = divide(["late", BEGIN, "during"], MARKS)
    assert (cut.before, cut.lines) == (["late"], [BEGIN, "during"])
    assert divide(["during"], MARKS).lines == ["during"]


def test_what_no_test_is_to_blame_for() -> None:
    assert before_tests(["boot", BEGIN, "during"]) == ["boot"]
    assert before_tests(["boot", "[  9.0] run fstests generic/001 at 2026-01-01 00:00:00", "x"]) == ["boot"]
    assert before_tests(["boot"]) == ["boot"]


def guest(path: Path) -> LocalGuest:
    return asyncio.run(LocalProvider(path).up("g0"))


def test_cuts_follow_each_other(tmp_path: Path) -> None:
    there = guest(tmp_path)
    log = KernelLog(there, 1.0)
    with there.console.open("a") as file:
        file.write("one\n")
    assert log.cut() == ["one"]
    with there.console.open("a") as file:
        file.write("two\nrun b\nthree\n")
    end = end_position(there.console)
    assert log.cut(log.before(["run a", "run b"], end)) == ["two"]
    assert log.before(["run a"], end) == end
    assert log.cut() == ["run b", "three"]
    assert log.cut() == []


def test_a_console_that_is_put_aside_within_a_test_loses_nothing(tmp_path: Path) -> None:
    there = guest(tmp_path)
    log = KernelLog(there, 1.0)
    with there.console.open("a") as file:
        file.write("one\n")
    there.console.replace(there.console.with_name("console.log.old"))
    there.console.write_text("two, and longer than what was there before\nrun b\n")
    end = end_position(there.console)
    assert log.before(["run b"], end) == end
    assert log.cut(end) == ["one", "two, and longer than what was there before", "run b"]


def test_a_guest_that_cannot_be_asked_has_what_the_console_shows(tmp_path: Path) -> None:
    there = guest(tmp_path)
    there.provider.mute = True
    log = KernelLog(there, 0.01)
    with there.console.open("a") as file:
        file.write("said\n")
    assert asyncio.run(log.cut_at(MARKS)).lines == ["said"], "its log has no mark, so nothing in it is the test's"


@given(st.lists(st.sampled_from(["x", BEGIN, END, "y"])))
def test_a_cut_of_a_log_is_a_part_of_it(lines: list[str]) -> None:
    found = between(lines, MARKS)
    assert (found is None) == (END not in lines)
    assert len(found or []) < max(1, len(lines))
