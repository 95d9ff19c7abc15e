"""A run as KTAP, version 1 (Documentation/dev-tools/ktap.rst of every kernel tree)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kdevops.report.another_way import another_way
from kdevops.report.beyond import Beyond, beyond, skipped_now
from kdevops.report.troubles import unknown_under
from kdevops.results.model import Outcome, Status
from kdevops.results.verdict import RunVerdict
from kdevops.text import clean

# kunit_parser.py (KTAP_END) stops reading at any of these within a line, so remove the colon.
_ENDS = re.compile(r"(List of all partitions|Kernel panic - not syncing: VFS|reboot(?=: System halted)):+")


def ktap(verdict: RunVerdict) -> str:
    """Every planned test as one test line, with its subtests nested before it.

    A test with an unknown kernel report is not ok, even if it passed, and so is one that ran before and skips now; unknown
    reports outside of tests, and tests that were lost, get a line. Each of these keeps the run from being green.
    """
    others = beyond(verdict)
    lines = ["KTAP version 1", f"1..{len(verdict.tests) + len(others)}"]
    for number, judged in enumerate(verdict.tests, start=1):
        outcome, unknown = judged.outcome, unknown_under(judged)
        lines += _nested(outcome)
        lines += _reported(unknown)
        if way := another_way(judged):
            lines.append(f"# {_escaped(way)}")
        lost = skipped_now(judged)
        status = Status.FAIL if outcome.status.is_well and (unknown or lost) else outcome.status
        lines += _lines(number, str(judged.test), status, lost or outcome.reason)
    for number, other in enumerate(others, start=len(verdict.tests) + 1):
        lines += [*_told(other), *_lines(number, other.name, Status.FAIL, "")]
    return "".join(f"{line}\n" for line in lines)


def _nested(outcome: Outcome) -> Iterator[str]:
    if not outcome.subtests:
        return
    yield "  KTAP version 1"
    yield f"  1..{len(outcome.subtests)}"
    for number, each in enumerate(outcome.subtests, start=1):
        yield from (f"  {line}" for line in _lines(number, each.name, each.status, each.reason))
    if outcome.subtests_cut:
        yield f"  # {outcome.subtests_cut} more subtests were not kept"


def _told(other: Beyond) -> Iterator[str]:
    if other.kind == "kernel report":
        return _reported(other.messages)
    return (f"# {other.kind}: {_escaped(clean(each))}" for each in other.messages)


def _reported(signatures: Iterable[str]) -> Iterator[str]:
    return (f"# unknown kernel report: {_escaped(clean(each))}" for each in signatures)


def _lines(number: int, name: str, status: Status, reason: str) -> Iterator[str]:
    reason, directive = clean(reason), status.ending.ktap
    # Text from a guest goes after a prefix of ours, so that it cannot become a directive or a result.
    if reason and not directive and status is not Status.PASS:
        yield f"# reason: {_escaped(reason)}"
    result = "ok" if status.is_well else "not ok"
    line = f"{result} {number} {_name(name)}"
    yield f"{line} # {directive} {_escaped(reason)}".rstrip() if directive else line


def _name(text: str) -> str:
    """A name without "#" (forbidden by ktap.rst) and without a leading "-" (parsers strip it); never empty."""
    return re.sub(r"^(?:-\s+|-$)+", "", _without_ends(clean(text)).replace("#", "_")) or "(unnamed)"


def _escaped(text: str) -> str:
    r"""Text for after our directive, with every "#" escaped as in TAP 14: "\#".

    kunit_parser.py takes the last " # SKIP" of a line as its directive, so a guest's text could turn a crash into a skip.
    """
    return _without_ends(text).replace("#", r"\#")


def _without_ends(text: str) -> str:
    return _ENDS.sub(r"\1", text)
