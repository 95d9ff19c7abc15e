"""The kernel's reports of its own trouble, as part of a test's outcome and as a reason to reset the guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.triage.oops import Oops, find_oops, find_reports

MAX_KEPT = 64
"""Reports kept of one test; further ones are counted."""
_ENDED_BY_ITSELF = frozenset({Status.PASS, Status.FAIL, Status.SKIP})


def with_reports(outcome: Outcome, lines: Sequence[str]) -> tuple[Outcome, str]:
    """The outcome with what the kernel said in `lines` while the test ran, and why the guest is spoiled by it, if it is.

    A test under which the kernel died crashed, whatever it had said of itself by then.
    """
    found = find_reports(lines)
    if not found:
        return outcome, ""
    blamed = find_oops(lines) or found[0]
    if blamed.fatal and outcome.status in _ENDED_BY_ITSELF:
        outcome = replace(outcome, status=Status.CRASH, reason=blamed.title)
    kept = tuple(map(as_stored, found[:MAX_KEPT]))
    outcome = replace(outcome, oops=outcome.oops or blamed.text, reports=kept, reports_cut=len(found) - len(kept))
    return outcome, spoiled_by(found)


def spoiled_by(reports: Iterable[Oops]) -> str:
    """The title of the first report after which a guest is not used on; empty when there is none."""
    return next((report.title for report in reports if report.spoils), "")


def as_stored(report: Oops) -> KernelReport:
    """A report as the store has it."""
    return KernelReport(report.kind, report.signature, report.title, report.gates, report.text)
