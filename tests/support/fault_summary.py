"""The figures of all rounds of random faults, at the end of a test run; they come from its workers with their reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PROPERTY = "faults"
"""Under this name a test of one round gives `fault_rounds.Verdict.plain()` to its report."""


def tell(terminal: Any) -> None:
    """Print each round, and then all of them in a line."""
    reports = {id(report): report for reports in terminal.stats.values() for report in reports}
    rounds = [
        value
        for report in reports.values()
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if rounds:
        terminal.section("rounds of faults")
        for each in rounds:
            terminal.line(each["told"])
        terminal.line(summary(rounds))


def summary(rounds: Sequence[Mapping[str, Any]]) -> str:
    """All that matters of these rounds in a line."""
    sins: Counter[str] = Counter()
    for each in rounds:
        sins.update(each["sins"])
    injected, late, skipped = (_count(rounds, which) for which in ("injected", "late", "skipped"))
    parts = [
        ", ".join(f"{number} {sin}" for sin, number in sins.items()),
        f"{sum(each['missing'] for each in rounds)} told as missing",
        f"{sum(injected.values())} faults: {_told(injected)}",
        f"{sum(late.values())} came too late",
    ]
    if skipped:
        parts.append(f"SKIPPED, because this machine does not allow it: {_told(skipped)}")
    return f"{len(rounds)} rounds: " + "; ".join(parts)


def _count(rounds: Iterable[Mapping[str, Any]], which: str) -> Counter[str]:
    return Counter(name for each in rounds for name in each[which])


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"
