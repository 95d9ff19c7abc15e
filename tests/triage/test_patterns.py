"""What begins a report, by the words of kernels, and what does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.triage.oops import find_oops, find_reports
from kdevops.triage.patterns import PATTERNS, Severity, find
from tests.triage.kernel_messages import HARMLESS, REPORTS

PREFIXES = (
    "",
    "[    1.234567] ",
    "<0>[    1.234567][    T1] ",
    "[    1.234567][  C12] ",
    "[    T1] ",
    "2026-11-21T00:31:02.123Z [    1.234567] ",
    "3,912,1234567,-;",
    "Nov 21 00:31:02 debian kernel: [    1.234567] ",
    "Nov 21 00:31:02 debian kernel: ",
    "[Sat Nov 21 00:31:02 2026] ",
    "** 2499 printk messages dropped ** [    1.234567] ",
    "debian login: [    1.234567][   T81] ",
    "an unfinished line of a progr[    1.234567] ",
    "Faile[ d    1t.o7 9o8p6e56][    T1] ",
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_reports_are_recognised_behind_whatever_the_kernel_puts_before_them(prefix: str) -> None:
    wrong = [
        (line, oops)
        for line, kind, severity in REPORTS
        if (oops := find_oops([f"{prefix}{line}\r\n"])) is None or (oops.kind, oops.severity) != (kind, severity)
    ]
    assert wrong == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_only_looks_like_a_report_is_not_taken_for_one(prefix: str) -> None:
    assert [line for line in HARMLESS if find_reports([prefix + line])] == []


def test_every_row_of_the_tables_has_a_sample() -> None:
    told = {found[0] for line, _, _ in REPORTS if (found := find(line))}
    assert [row.regex for row in PATTERNS if row not in told] == []


def test_a_row_is_not_hidden_by_the_one_above_it() -> None:
    for line, kind, severity in REPORTS:
        found = find(line)
        assert found
        assert (found[0].kind, found[0].severity, found[1]) == (kind, severity, 0)


def test_every_row_says_where_it_comes_from() -> None:
    assert all(row.source and row.kind for row in PATTERNS)
    assert all(row.needle in line for line, _, _ in REPORTS if (found := find(line)) and (row := found[0]).needle)


def test_expressions_have_no_groups_of_their_own() -> None:
    assert [row.regex for row in PATTERNS if re.compile(row.regex).groups] == []


STRICT = [line for line, _, severity in REPORTS if severity >= Severity.VIOLATION and "[#" not in line]


@given(
    st.from_regex(r"[a-z][a-z0-9/_-]{0,12}", fullmatch=True),
    st.sampled_from([": ", " ", "] ", "- "]),
    st.sampled_from(STRICT),
)
def test_a_program_that_says_the_words_behind_its_name_is_not_the_kernel(name: str, between: str, line: str) -> None:
    assert find(f"{name}{between}{line}") is None or line in name


@given(st.sampled_from([line for line, _, _ in REPORTS]), st.from_regex(r"[A-Za-z_]{1,8}", fullmatch=True))
def test_words_that_end_in_a_report_do_not_begin_one(line: str, start: str) -> None:
    found = find(start + line)
    assert found is None or found[0].needle or found[1] == 0


def test_loose_words_without_a_stamp_are_the_kernels_only_where_it_stamps_nothing() -> None:
    assert find_oops(["BUG: a word of mine", "hello"])
    assert find_oops(["[    1.000000] hello", "BUG: a word of mine"]) is None
    assert find_oops(["BUG: a word of mine", "[    1.000000] hello"]) is None
    found = find_oops(["BUG: a word of mine", "[    1.000000] BUG: the kernel's own"])
    assert found
    assert found.title == "BUG: the kernel's own"


def test_what_cannot_be_mistaken_counts_without_a_stamp_on_a_console_that_stamps() -> None:
    line = "BUG: KASAN: slab-out-of-bounds in foo+0x12/0x34"
    assert find_oops(["[    1.000000] hello", line])


def test_a_panic_into_whose_words_a_program_wrote_is_known_by_its_last_line() -> None:
    lines = [
        "[    1.700000] Kerneol upanici - not syncing: Attempted to kill init! exitcode=0x00006500",
        "[    1.800000] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00006500 ]---",
    ]
    found = find_oops(lines)
    assert found
    assert (found.kind, found.title) == (
        "panic",
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00006500",
    )


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    find(text)
