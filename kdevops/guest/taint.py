"""The kernel's taint flags: what they say about whether its results can be believed.

The bits are those of include/linux/panic.h, in every kernel; Documentation/admin-guide/tainted-kernels.rst explains them.
"""

from __future__ import annotations

_UNFIT = {
    4: "a machine check",
    5: "a bad page",
    7: "an oops",
    9: "a warning",
    14: "a soft lockup",
}
"""Flags after which a guest is not used any more."""


def parse(text: str) -> int | None:
    """What /proc/sys/kernel/tainted says; None for anything but a number."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def worsened(before: int, now: int) -> str:
    """What happened to the kernel between two readings that makes it unfit for more tests, in words; empty for nothing."""
    words = [word for bit, word in _UNFIT.items() if (now & ~before) >> bit & 1]
    return f"the kernel is tainted by {' and '.join(words)}" if words else ""
