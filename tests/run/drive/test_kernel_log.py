"""A kernel's log, cut between the marks of a test."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import end_position
from kdevops.guest.execute import Marks
from kdevops.run.drive.kernel_log import KernelLog, Slice, before_tests, between, divide
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
    cut = asyncio.run(log.cut_at(MARKS))
    assert cut.lines == ["said"], "its log has no mark, so nothing in it is the test's"
    assert not cut.watched


def test_a_test_is_watched_where_the_console_or_the_log_shows_its_end(tmp_path: Path) -> None:
    there = guest(tmp_path)
    with there.log.open("a") as file:
        file.write(f"{BEGIN}\nsaid\n{END}\n")
    assert asyncio.run(KernelLog(there, 0.01).cut_at(MARKS)) == Slice(["said"]), "begun after the console's end"
    log = KernelLog(there, 0.01)
    with there.console.open("a") as file:
        file.write(f"{BEGIN}\nseen\n{END}\n")
    assert asyncio.run(log.cut_at(MARKS)).watched


def look_back(there: LocalGuest, log: KernelLog, text: str, *marks: str) -> list[str] | None:
    with there.log.open("a") as file:
        file.write(text)
    return asyncio.run(log.look_back(marks))


def test_looking_back_begins_at_the_tests_or_where_the_log_was_last_read(tmp_path: Path) -> None:
    there = guest(tmp_path)
    there.provider.mute = True
    log = KernelLog(there, 0.01)
    log.has_read(["[1] boot", "[2] last of boot"])
    assert (
        look_back(there, log, "[1] boot\n[2] last of boot\n[3] run a\n[4] said\n", "run a", "run b")[0] == "[3] run a"
    )
    assert look_back(there, log, "[5] more\n", "run b") == ["[5] more"]
    assert look_back(there, log, "[6] run a\n[7] x\n", "run b", "run a") == ["[6] run a", "[7] x"], (
        "the last time it ran"
    )
    assert look_back(there, log, "", "run b") == []
    log.has_read(["[9] overwritten since"])
    assert len(look_back(there, log, "", "run b") or []) == 7


def test_a_guest_that_is_gone_cannot_be_looked_back_at(tmp_path: Path) -> None:
    there = guest(tmp_path)
    there.console.unlink()
    assert asyncio.run(KernelLog(there, 0.01).look_back(["x"])) is None


@given(st.lists(st.sampled_from(["x", BEGIN, END, "y"])))
def test_a_cut_of_a_log_is_a_part_of_it(lines: list[str]) -> None:
    found = between(lines, MARKS)
    assert (found is None) == (END not in lines)
    assert len(found or []) < max(1, len(lines))
