"""How a kernel says that something is wrong: the lines that begin a report, and where the kernel prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much a report says about the kernel's fitness to go on; a worse one displaces a lesser one."""

    WARNING = 0
    STALL = 1
    VIOLATION = 2
    FATAL = 3


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to begin a report. `source` is the file of the kernel tree that prints it; `alone`: no trace follows it."""

    kind: str
    severity: Severity
    regex: str
    source: str
    alone: bool = False


_W, _S, _V, _F = Severity.WARNING, Severity.STALL, Severity.VIOLATION, Severity.FATAL

# Of those that fit at the same column the first is taken, so the special stand before the general.
PATTERNS = (
    Pattern("panic", _F, r"Kernel panic - not syncing: ", "kernel/panic.c"),
    Pattern("kasan", _V, r"BUG: KASAN: ", "mm/kasan/report.c"),
    Pattern("kfence", _V, r"BUG: KFENCE: ", "mm/kfence/report.c"),
    Pattern("kcsan", _V, r"BUG: KCSAN: ", "kernel/kcsan/report.c"),
    Pattern("kmsan", _V, r"BUG: KMSAN: ", "mm/kmsan/report.c"),
    Pattern("ubsan", _V, r"UBSAN: ", "lib/ubsan.c"),
    Pattern("soft lockup", _S, r"BUG: soft lockup - CPU#\d", "kernel/watchdog.c"),
    Pattern("hard lockup", _S, r"Watchdog detected hard LOCKUP", "kernel/watchdog_hld.c"),
    Pattern("workqueue lockup", _S, r"BUG: workqueue lockup", "kernel/workqueue.c"),
    Pattern("bug", _F, r"kernel BUG at ", "lib/bug.c"),
    # x86, two for x86 as it is now, then arm64 and most others.
    Pattern("oops", _F, r"BUG: unable to handle ", "arch/x86/mm/fault.c"),
    Pattern("oops", _F, r"BUG: kernel NULL pointer dereference", "arch/x86/mm/fault.c"),
    Pattern("oops", _F, r"Unable to handle kernel ", "arch/arm64/mm/fault.c"),
    Pattern("oops", _F, r"Internal error: ", "arch/arm64/kernel/traps.c"),
    # A program's own trap is printed without the colon ("trap invalid opcode ip:…"), and is no affair of the kernel's.
    Pattern("oops", _F, r"Oops: \w", "arch/x86/kernel/dumpstack.c"),
    Pattern("oops", _F, r"general protection fault[:,] ", "arch/x86/kernel/traps.c"),
    Pattern("oops", _F, r"invalid opcode: \d", "arch/x86/kernel/traps.c"),
    Pattern("oops", _F, r"divide error: \d", "arch/x86/kernel/traps.c"),
    Pattern("oops", _F, r"double fault: \d", "arch/x86/kernel/traps.c"),
    Pattern("oops", _F, r"BUG: .{1,40} stack guard page was hit", "arch/x86/kernel/traps.c"),
    Pattern("bug", _V, r"BUG: \S", "mm/memory.c, kernel/sched/core.c, kernel/locking/spinlock_debug.c, …"),
    Pattern(
        "lockdep",
        _V,
        r"WARNING: (?:possible|inconsistent|bad unlock|bad contention|suspicious RCU|held lock)",
        "kernel/locking/lockdep.c",
    ),
    Pattern(
        "lockdep",
        _V,
        r"WARNING: (?:lock held when|Nested lock|chain_key|.* still has locks held|.*-safe -> .*-unsafe)",
        "kernel/locking/lockdep.c",
    ),
    Pattern(
        "hung task", _S, r"INFO: task .{1,80} blocked (?:in I/O wait )?for more than \d+ seconds", "kernel/hung_task.c"
    ),
    Pattern("rcu stall", _S, r"INFO: rcu\w* .*(?:self-)?detected (?:expedited )?stall", "kernel/rcu/tree_stall.h"),
    # File systems on themselves. A test may provoke them, so they are shown and say nothing of the kernel's fitness.
    Pattern("xfs assertion", _W, r"XFS(?: \(\S+\))?: Assertion failed: ", "fs/xfs/xfs_message.c"),
    Pattern(
        "xfs corruption",
        _W,
        r"XFS \(\S+\): (?:Metadata .{1,40} detected at |Corruption |Internal error )",
        "fs/xfs/xfs_error.c",
        alone=True,
    ),
    Pattern("btrfs assertion", _W, r"assertion failed: .{1,200}, in fs/btrfs/", "fs/btrfs/ctree.h"),
    Pattern("ext4 error", _W, r"EXT4-fs error \(device ", "fs/ext4/super.c", alone=True),
    Pattern("memory leak", _W, r"kmemleak: \d+ new suspected memory leaks", "mm/kmemleak.c", alone=True),
    # With the location behind the processor, and, in newer kernels, before it.
    Pattern("warning", _W, r"WARNING: CPU: \d+ PID: \d+ at ", "kernel/panic.c"),
    Pattern("warning", _W, r"WARNING: \S+:\d+ at ", "kernel/panic.c"),
    Pattern("out of memory", _W, r"Out of memory: Killed process ", "mm/oom_kill.c", alone=True),
)

_COMPILED = tuple((pattern, re.compile(pattern.regex)) for pattern in PATTERNS)
_REACH = 512
"""Characters of a line in which a report may begin: behind a stray time stamp or a prompt, but not anywhere."""


def find(text: str) -> tuple[Pattern, int] | None:
    """The report that this line begins, and the column at which it does; None for any other line."""
    text = text[:_REACH]
    # One search a pattern is several times faster than one alternation of all, since each begins with a literal.
    found = [(match.start(), number) for number, (_, regex) in enumerate(_COMPILED) if (match := regex.search(text))]
    if not found:
        return None
    column, number = min(found)
    return PATTERNS[number], column
