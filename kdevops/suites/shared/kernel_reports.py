"""Kernel reports in what imported results keep of the kernel's messages during a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.triage.oops import find_oops, find_reports

MAX_KEPT = 64
"""Reports kept per test; further ones are only counted."""


def with_reports(outcome: Outcome, lines: Sequence[str]) -> Outcome:
    """The outcome with the reports in these messages. If the kernel died, the test crashed."""
    found = find_reports(lines)
    if not found:
        return outcome
    blamed = find_oops(lines) or found[0]
    if blamed.fatal:
        outcome = replace(outcome, status=Status.CRASH, reason=blamed.title)
    kept = tuple(
        KernelReport(each.kind, each.signature, each.title, each.gates, each.text) for each in found[:MAX_KEPT]
    )
    left_out = found.left_out + len(found) - len(kept)
    return replace(outcome, oops=outcome.oops or blamed.text, reports=kept, reports_cut=left_out)
