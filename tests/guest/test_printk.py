"""Which lines of a console are one kernel's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.printk import first_boot

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
