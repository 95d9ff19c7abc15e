"""Which lines of a console are one kernel's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.printk import begins, first_boot, message, parse

OLD = ["[   95.100000] reboot: Restarting system", "SeaBIOS (version 1.16)"]
NEW = [
    "[    0.000000] Linux version 6.1",
    "[    0.000000] Command line: x",
    "[    1.5] ok 1 a",
    "no stamp",
    "[    1.6] end",
]
NEXT = ["[    0.000000] Linux version 6.0", "[    2.000000] ok 1 a of another kernel"]


def test_the_kernel_that_starts_is_told_from_the_one_before_and_the_one_after() -> None:
    assert first_boot([*OLD, *NEW, *NEXT]) == NEW
    assert first_boot([*NEW, *NEXT]) == NEW
    assert first_boot(NEW) == NEW
    stamped = ["2026-11-21T00:31:02.123Z " + line for line in (*OLD, *NEW, *NEXT)]
    assert first_boot(stamped) == ["2026-11-21T00:31:02.123Z " + line for line in NEW]


def test_where_no_kernel_starts_nothing_is_left_out() -> None:
    assert first_boot(NEW[2:]) == NEW[2:]
    assert first_boot(["without time stamps", "ok 1 a"]) == ["without time stamps", "ok 1 a"]
    assert first_boot([]) == []


@given(st.lists(st.text(max_size=60)), st.lists(st.floats(0, 1e6).map(lambda now: f"[{now:12.6f}] x")))
def test_what_is_found_stands_together_in_what_there_is(text: list[str], stamped: list[str]) -> None:
    lines = [*text, *stamped]
    found = first_boot(lines)
    assert not found or any(lines[start : start + len(found)] == found for start in range(len(lines)))


@pytest.mark.parametrize(
    ("line", "text", "stamped", "time"),
    [
        ("hello", "hello", False, ""),
        ("[    1.234567] hello", "hello", True, "1.234567"),
        ("<6>[    1.234567][    T1] hello", "hello", True, "1.234567"),
        ("[    1.234567][ T123@C4]   indented", "  indented", True, "1.234567"),
        ("[   C12] hello", "hello", True, ""),
        ("2026-11-21T00:31:02.123Z [    1.234567] hello", "hello", True, "1.234567"),
        ("2026-11-21T00:31:02.123Z hello", "hello", False, ""),
        ("6,339,5140900,-;hello", "hello", True, ""),
        ("6,339,5140900,-,caller=T1;hello", "hello", True, ""),
        ("Nov 21 00:31:02 debian kernel: [    1.234567] hello", "hello", True, "1.234567"),
        ("Nov  1 00:31:02 debian kern.warn kernel: hello", "hello", True, ""),
        ("[Sat Nov 21 00:31:02 2026] hello", "hello", True, ""),
        ("[drm] hello", "[drm] hello", False, ""),
        ("[1/2] hello", "[1/2] hello", False, ""),
        ("\x1b[1;31m[    1.234567] he\x07llo\r\n", "hello", True, "1.234567"),
        ("debian login: [    1.234567] hello", "debian login: [    1.234567] hello", False, ""),
    ],
)
def test_a_line_is_parted_into_prefix_and_message(line: str, text: str, stamped: bool, time: str) -> None:
    assert parse(line) == (text, stamped, time)
    assert message(line) == text


def test_the_kernel_begins_behind_every_stamp_of_a_line() -> None:
    text = "login: [    1.234567][   T81] one [    1.3] two [  C0] three [drm] four"
    assert [text[column:].split(maxsplit=1)[0] for column in begins(text, 512)] == ["login:", "one", "two", "three"]
    assert list(begins("x" * 600 + "[    1.3] two", 512)) == [0]
    assert list(begins(" one blank", 512)) == [1]
    assert list(begins("  two blanks", 512)) == [0]


@given(st.text(max_size=300))
def test_any_line_has_a_message_and_a_beginning(line: str) -> None:
    text, stamped, time = parse(line)
    assert len(text) <= len(line)
    assert stamped or not time
    assert all(0 <= column <= len(text) for column in begins(text, 512))
