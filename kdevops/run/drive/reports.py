"""Kernel reports, as part of a test's outcome and as a reason to reset the guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.triage.messages.troubles import STALLS
from kdevops.triage.oops import Oops, find_oops, find_reports

MAX_KEPT = 64
"""Reports kept per test; further ones are only counted."""
_STALLS = frozenset(pattern.kind for pattern in STALLS)


def with_reports(outcome: Outcome, lines: Sequence[str]) -> tuple[Outcome, str]:
    """The outcome with the kernel reports in `lines`, and why the guest is spoiled, if it is.

    If the kernel died, the test crashed, whatever it reported itself.
    """
    found = find_reports(lines)
    if not found:
        return outcome, ""
    blamed = find_oops(lines) or found[0]
    if blamed.fatal and outcome.status.ended_by_itself:
        outcome = replace(outcome, status=Status.CRASH, reason=blamed.title)
    kept = tuple(map(as_stored, found[:MAX_KEPT]))
    left_out = found.left_out + len(found) - len(kept)
    outcome = replace(outcome, oops=outcome.oops or blamed.text, reports=kept, reports_cut=left_out)
    return outcome, spoiled_by(found)


def with_taint(outcome: Outcome, tainted: str) -> Outcome:
    """The outcome with a report of which only the taint flag is known."""
    return replace(outcome, reports=(*outcome.reports, unseen(tainted)))


def unseen(tainted: str) -> KernelReport:
    """A report for a taint flag, in the words of `taint.worsened`."""
    said = f"{tainted}, and its report was not seen"
    return KernelReport("taint", said, said, gates=True, text=said)


def is_stall(report: Oops) -> bool:
    """Whether the report says that something waited or spun too long, which also happens in a machine that was held."""
    return report.kind in _STALLS


def spoiled_by(reports: Iterable[Oops]) -> str:
    """The title of the first report after which the guest must not be reused; empty if there is none."""
    return next((report.title for report in reports if report.spoils), "")


def as_stored(report: Oops) -> KernelReport:
    """A report in the form of the store."""
    return KernelReport(report.kind, report.signature, report.title, report.gates, report.text)


def doubt(outcome: Outcome, said: Sequence[str], lost: float, why: str, *, last: bool) -> str:
    """Why an outcome is not believed, in one line; "" if it is.

    The test was held up for `lost` seconds: it may have failed because of that, and the kernel's watchdogs may have
    complained because the clock went on. A failure reported by the test is believed in the `last` try; a hang is not.
    """
    if not lost:
        return ""
    reports = find_reports(said)
    if any(report.gates and not is_stall(report) for report in reports):
        return ""  # a hold cannot cause such a report
    if not outcome.status.is_bad and not any(map(is_stall, reports)):
        return ""
    if last and outcome.status is Status.FAIL and not any(map(is_stall, reports)):
        return ""
    return f"its result is not trusted: it was held up for {lost:.0f} s ({why})"


def of_the_kernel(lines: Sequence[str], lost: float) -> list[str]:
    """These console lines; if the machine was held for `lost` seconds, only the reports that a hold cannot cause."""
    if not lost:
        return list(lines)
    return [line for report in find_reports(lines) if not is_stall(report) for line in report.text.splitlines()]
