"""Which reports are one trouble: a preface and its report, one detector's scan, and a panic that an earlier report explains."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdevops.triage.report import Report
from kdevops.triage.said.row import Pattern, Severity

_AT_ONCE = 5.0
"""Seconds between a message and the report proper that it announces."""
_SOON = 60.0
"""Seconds from a report to a panic for its sake: dumping all CPUs' stacks over a slow console may take that long."""
_NEAR = 60
"""Lines between a message and the report proper, for consoles without time stamps."""

_REPORT = frozenset({"oops", "bug", "warning", "kasan", "panic", "ref_tracker", "memory leak"})
"""Kinds that a preface announces."""

# What a panic says whose cause was told before it, and the kinds of reports that can be that cause (none: any oops).
_POINTS_BACK: tuple[tuple[re.Pattern[str], frozenset[str], Severity], ...] = tuple(
    (re.compile(words), frozenset(kinds.split(",") if kinds else ()), severity)
    for words, kinds, severity in (
        (r"hung_task: ", "hung task", Severity.STALL),
        (r"softlockup: ", "soft lockup", Severity.STALL),
        (r"(?:Hard LOCKUP|.{0,40}hard LOCKUP)", "hard lockup", Severity.STALL),
        (r"RCU Stall", "rcu stall", Severity.STALL),
        (r".{0,80}\bpanic_on_(?:warn|taint) set|kasan\.fault=panic|panic_on_taint", "", Severity.WARNING),
        (
            r"Fatal exception|.{0,40}panic_on_oops|Oops\b|Aiee, |Unrecoverable|[Bb]ad mode|Asynchronous SError",
            "",
            Severity.FATAL,
        ),
        (r"Attempted to kill the idle task", "", Severity.FATAL),
        # Killed by a signal (the low bits), as an oops does it; an init that ends by itself has its own reasons.
        (r"Attempted to kill init!(?! exitcode=0x[\da-f]{6}[08]0)", "", Severity.FATAL),
        (r"VFS: Unable to mount root fs", "panic", Severity.FATAL),
        (r"EXT4-fs .{0,80}panic forced after error", "ext4 error,jbd2", Severity.NOTICE),
        (r"(?:System is deadlocked on memory|.{0,40}[Oo]ut of memory)", "out of memory", Severity.NOTICE),
    )
)
_PANIC = re.compile(r"(?:---\[ end )?Kernel panic(?: - not syncing)?: ")


def explains(report: Report, pattern: Pattern, time: float | None) -> bool:
    """Whether what begins now, a `pattern`, is the same trouble as `report`, the last one before it.

    A message that announces a report (`preface`) and the report are one, so are an oops within an oops, the stalls of one
    scan, and whatever a kernel says after it panicked. Panics are `cause`'s.
    """
    age = report.age(time)
    near = abs(age) <= _AT_ONCE if age is not None else report.lines <= _NEAR
    if report.panicked and not report.ended:
        return True
    if report.pattern.alone and not report.pattern.preface:
        return False
    if not near or report.ended:
        return False
    if report.pattern.preface and pattern.kind in _REPORT:
        return True
    if report.severity is Severity.FATAL and pattern.severity is Severity.FATAL:
        return True
    return pattern.severity is Severity.STALL and pattern.kind == report.pattern.kind


def cause(reports: Sequence[Report], text: str, time: float | None) -> Report | None:
    """The report that explains the panic `text`; None for a panic that has words of its own.

    A panic whose words are only a consequence ("Fatal exception", "panic_on_warn set", "hung_task: blocked tasks", init that
    was killed by a signal) points back at the latest report that can have led to it, whatever stands between: of that very
    detector for stalls, however long ago; else the last oops or warning, within a minute of the kernel's clock. Any other
    panic ("stack-protector: Kernel stack is corrupted in …") is its own cause, whatever was reported an hour before.
    """
    match = _PANIC.match(text)
    words = text[match.end() :] if match else text
    for report in reversed(reports):
        if report.panicked and not report.ended:
            return report
        break
    for regex, kinds, least in _POINTS_BACK:
        if not regex.match(words):
            continue
        for report in reversed(reports):
            age = report.age(time)
            soon = least is Severity.STALL or age is None or age <= _SOON
            if soon and (report.pattern.kind in kinds if kinds else report.severity >= least):
                return report
    return None
