"""Group reports of one problem: a preface and its report, one detector's scan, a panic and the report that caused it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdevops.triage.messages.pattern import Pattern, Severity
from kdevops.triage.report import Report, seconds

_AT_ONCE = 1.0
"""Seconds of the kernel's clock between a preface and its report."""
_SCAN = 10.0
"""Seconds between parts of one report (each may wait for other processors) or of one scan."""
_SOON = 60.0
"""Seconds from a report to the panic it causes: dumping all CPUs' stacks to a slow console may take that long."""
_AGAIN = 300.0
"""Seconds between repeated stall reports: detectors check at least every two minutes."""
_NEXT = 1.0
"""Seconds within which a second report counts as a consequence of the first."""
_NEAR = 60
"""Lines between a preface and its report, for consoles without time stamps."""
_OWN_WORDS = 3
"""First lines of a WARNING that may contain its message, on architectures that print it after the WARNING line."""

_ANNOUNCED = frozenset({"warning", "kasan", "ref_tracker", "memory leak"})
"""Kinds of report that a preface may announce, besides fatal ones."""

# Panic messages that refer to an earlier cause, the kinds of report that can be the cause (empty: any), and its least
# severity.
_POINTS_BACK: tuple[tuple[re.Pattern[str], frozenset[str], Severity], ...] = tuple(
    (re.compile(words), frozenset(kinds.split(",") if kinds else ()), severity)
    for words, kinds, severity in (
        (r"hung_task: ", "hung task", Severity.STALL),
        (r"softlockup: ", "soft lockup", Severity.STALL),
        (r".{0,40}[Hh]ard LOCKUP", "hard lockup", Severity.STALL),
        (r"workqueue: .{0,40}stall", "workqueue lockup", Severity.STALL),
        (r"RCU Stall", "rcu stall", Severity.STALL),
        (r".{0,80}(?:\bpanic_on_(?!oops)\w+ set|warned too often)|k\w+\.(?:fault=)?panic\w* set", "", Severity.WARNING),
        (
            r"(?:.{1,40}: )?(?:Fatal exception|Oops(?:\b|ed too often)|Aiee, |Unrecoverable|Unhandled exception)",
            "",
            Severity.FATAL,
        ),
        (r".{0,40}panic_on_oops|[Bb]ad mode|Asynchronous SError|Attempted to kill the idle task", "", Severity.FATAL),
        # Killed by a signal (the low bits), as after an oops; an init that exits by itself is another problem.
        (r"Attempted to kill init!(?! exitcode=0x[\da-f]{6}[08]0)", "", Severity.FATAL),
        (r"VFS: Unable to mount root fs", "panic", Severity.FATAL),
        (r"EXT[24]-fs .{0,80}panic (?:forced after|from previous) error", "ext4 error,jbd2", Severity.NOTICE),
        (
            r"(?:F2FS|NILFS|JFS|FAT|OCFS2|GFS2|BTRFS)\b.{0,80}panic",
            "f2fs error,btrfs error,file system error",
            Severity.NOTICE,
        ),
        (r"(?:System is deadlocked on memory|.{0,40}[Oo]ut of memory)", "out of memory", Severity.NOTICE),
    )
)
_PANIC = re.compile(r"(?:---\[ end )?Kernel panic(?: - not syncing)?: ")
_PID = re.compile(r"\bPID: (\d{1,10}) Comm: ")


def explains(report: Report, pattern: Pattern, time: float | None) -> bool:
    """Whether a message matching `pattern` belongs to the same problem as `report`, the last one before it.

    These belong together: a preface and its report, a WARNING and its message after it, everything before the end of an
    oops' trace, the stalls of one scan, consecutive notices of the same kind, and everything after a panic. A panic's
    cause is found by `cause`.
    """
    if report.ended:
        return False
    if report.panicked:
        return report.within(_SOON, time)
    if pattern.continues and report.gates and _near(report, time, _SCAN):
        return True
    announced = pattern.severity is Severity.FATAL or pattern.kind in _ANNOUNCED
    if report.announces and announced and _near(report, time, _AT_ONCE):
        return True
    if report.pattern.kind == "warning" and pattern.preface and report.lines <= _OWN_WORDS:
        return True
    if report.severity is Severity.FATAL and not report.traced and pattern.severity > Severity.NOTICE:
        return _near(report, time, _SCAN)
    same = pattern.kind == report.pattern.kind and pattern.severity in (Severity.STALL, Severity.NOTICE)
    return same and pattern.severity >= report.severity and _near(report, time, _SCAN)


def _near(report: Report, time: float | None, limit: float) -> bool:
    """Whether the last line of a report is close enough: in seconds, or in lines on a console without time stamps."""
    age = report.age(time)
    return report.distance <= _NEAR if age is None else abs(age) <= limit


def cause(reports: Sequence[Report], text: str, time: float | None) -> Report | None:
    """The report that caused the panic `text`; None for a panic with its own cause.

    Some panic messages only name a consequence ("Fatal exception", "panic_on_warn set", "hung_task: blocked tasks", init
    killed by a signal, or words from the report itself). Their cause is an earlier report, whatever was printed between: for
    stalls, the first of the last series from this detector, however long ago; else the last oops or warning within a minute
    of the kernel's clock. Any other panic ("stack-protector: Kernel stack is corrupted in …") is its own cause, whatever was
    reported an hour before.
    """
    last = reports[-1] if reports else None
    if last and not last.ended and _dies(last, time):
        return last
    match = _PANIC.match(text)
    words = text[match.end() :].strip() if match else text
    for regex, kinds, least in _POINTS_BACK:
        if regex.match(words):
            fit = [
                report for report in reports if (report.pattern.kind in kinds if kinds else report.severity >= least)
            ]
            if least is Severity.STALL and fit:
                return _first_of_them(fit)
            if soon := [report for report in fit if report.within(_SOON, time)]:
                return soon[-1]
    told = last and words and words.casefold() in last.title.casefold()
    return last if last and told and last.within(_SOON, time) else None


def _dies(report: Report, time: float | None) -> bool:
    """Whether a panic interrupts this report: an oops with an incomplete trace, or right after its preface."""
    dying = report.panicked or (report.severity is Severity.FATAL and not report.traced)
    return report.within(_SOON, time) if dying else report.announces and _near(report, time, _AT_ONCE)


def _first_of_them(stalls: Sequence[Report]) -> Report:
    """The first of the last series of stalls, each reported soon after the one before."""
    first = stalls[-1]
    for report in reversed(stalls[:-1]):
        if not report.within(_AGAIN, seconds(first.time)):
            break
        first = report
    return first


def follows(report: Report, before: Report) -> bool:
    """Whether `report` looks like a consequence of `before`: it began within a second of its last line.

    A report that began after `before` ended, in another task, is not. Without time stamps, or if the clock went back, only
    one that began during `before` is.
    """
    if not before.gates:
        return False
    age = report.since
    if age is None or age < 0:
        return report.amid
    if age > _NEXT:
        return False
    mine, its = _PID.search(report.text), _PID.search(before.text)
    return report.amid or not (mine and its) or mine[1] == its[1]


def root(report: Report) -> Report:
    """The first report of a chain in which each looks like a consequence of the one before it."""
    if report.before and follows(report, report.before):
        return report.before.root or report.before
    return report.root or report


def settle(report: Report) -> None:
    """Store the root of a complete report and drop the reports between, to free memory."""
    report.root, report.before = root(report), None
    if report.root is report:
        report.root = None
