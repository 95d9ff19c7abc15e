"""Warnings and stalls."""

from __future__ import annotations

from functools import partial

from kdevops.triage.messages.pattern import Pattern, Severity

_warning = partial(Pattern, severity=Severity.WARNING)
_stall = partial(Pattern, severity=Severity.STALL)

STALLS = (
    _stall("soft lockup", regex=r"(?:NMI )?(?:watchdog: )?BUG: soft lockup - CPU#\d", source="kernel/watchdog.c"),
    _stall(
        "hard lockup",
        regex=r"(?:NMI )?(?:watchdog: )?(?:CPU ?\d+:? )?(?:Watchdog detected|self-detected|detected) hard LOCKUP",
        source="kernel/watchdog.c, arch/powerpc/kernel/watchdog.c",
    ),
    _stall("workqueue lockup", regex=r"BUG: workqueue lockup", source="kernel/workqueue.c"),
    _stall("spinlock lockup", regex=r"BUG: spinlock lockup", source="kernel/locking/spinlock_debug.c"),
    _stall(
        "hung task",
        regex=r"INFO: task .{1,80} (?:(?:is )?blocked (?:in I/O wait )?(?:for more than |on an? )|can't die )",
        source="kernel/hung_task.c",
    ),
    # The same for a task with a line end in its name.
    _stall(
        "hung task",
        regex=r".{0,16}:\d{1,10} blocked (?:in I/O wait )?for more than \d+ seconds\.",
        source="kernel/hung_task.c",
        needle=" for more than ",
    ),
    _stall(
        "rcu stall",
        regex=r"(?:rcu: )?INFO: (?:rcu|srcu)\w* (?:self-)?detected (?:expedited )?stall",
        source="kernel/rcu/{tree_stall,tree_exp,tasks}.h",
    ),
    _stall(
        "rcu stall",
        regex=r"rcu: \w+ kthread (?:starved for|timer wakeup didn't happen for) ",
        source="kernel/rcu/tree_stall.h",
    ),
    _stall("csd lock", regex=r"csd: (?:Detected|Continued) non-responsive CSD lock ", source="kernel/smp.c"),
    _stall("need resched", regex=r"sched: CPU \d+ need_resched set for ", source="kernel/sched/debug.c"),
    _stall(
        "netdevice",
        regex=r"unregister_netdevice: waiting for \S+ to become free",
        source="net/core/dev.c",
        alone=True,
        preface=True,
    ),
)

WARNINGS = (
    # Location after the CPU; before it (6.19), with the condition before both; without CPU; and old formats.
    _warning("warning", regex=r"WARNING: CPU: \d+ PID: -?\d+ at ", source="kernel/panic.c"),
    _warning("warning", regex=r"WARNING: (?:\[.{1,200}\] )?[^\s:]{1,200}\.\w{1,3}:\d+ at ", source="kernel/panic.c"),
    _warning(
        "warning",
        regex=r"WARNING: (?:\[.{1,200}\] )?at (?:[^\s:]{1,200}\.\w{1,3}:\d|[^\s+]{1,120}\+0x|(?:0x)?[\da-f]{8,16}\b)",
        source="kernel/panic.c, lib/bug.c",
    ),
    _warning(
        "warning", regex=r"WARNING: kernel stack (?:regs|frame pointer) at ", source="arch/x86/kernel/unwind_frame.c"
    ),
    _warning(
        "warning", regex=r"do not call blocking ops when !TASK_RUNNING", source="kernel/sched/core.c", preface=True
    ),
    _warning(
        "xfs assertion", regex=r"XFS(?: \([^)\s]+\))?: Assertion failed: ", source="fs/xfs/xfs_message.c", preface=True
    ),
    _warning(
        "btrfs assertion",
        regex=r"(?:BTRFS: )?assertion failed: .{1,200}, in fs/btrfs/",
        source="fs/btrfs/messages.h",
        preface=True,
    ),
    _warning(
        "watchdog",
        regex=r"(?:\S.{0,60}: )?NETDEV WATCHDOG: ",
        source="net/sched/sch_generic.c",
        needle="NETDEV WATCHDOG: ",
        preface=True,
    ),
)
