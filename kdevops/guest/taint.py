"""The kernel's taint flags, and whether results of a tainted kernel can be trusted.

Bits: include/linux/panic.h, the same in every kernel; explained in Documentation/admin-guide/tainted-kernels.rst.
"""

from __future__ import annotations

_UNFIT = {
    4: "a machine check",
    5: "a bad page",
    7: "an oops",
    9: "a warning",
    14: "a soft lockup",
}
"""Flags that make a guest unfit for more tests."""


def parse(text: str) -> int | None:
    """The value of /proc/sys/kernel/tainted; None if it is not a number."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def worsened(before: int, now: int) -> str:
    """Why the kernel became unfit for more tests between two readings; empty if it did not."""
    words = [word for bit, word in _UNFIT.items() if (now & ~before) >> bit & 1]
    return f"the kernel is tainted by {' and '.join(words)}" if words else ""
