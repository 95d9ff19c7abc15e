"""The kernel's reports of its own trouble, as part of a test's outcome and as a reason to reset the guest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.triage.messages.troubles import STALLS
from kdevops.triage.oops import Oops, find_oops, find_reports

MAX_KEPT = 64
"""Reports kept of one test; further ones are counted."""
_STALLS = frozenset(pattern.kind for pattern in STALLS)


def with_reports(outcome: Outcome, lines: Sequence[str]) -> tuple[Outcome, str]:
    """The outcome with what the kernel said in `lines` while the test ran, and why the guest is spoiled by it, if it is.

    A test under which the kernel died crashed, whatever it had said of itself by then.
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
    """The outcome with a report of which nothing is known but the taint that it left behind."""
    return replace(outcome, reports=(*outcome.reports, unseen(tainted)))


def unseen(tainted: str) -> KernelReport:
    """The report that a taint flag stands for, as `taint.worsened` words it."""
    said = f"{tainted}, and its report was not seen"
    return KernelReport("taint", said, said, gates=True, text=said)


def is_stall(report: Oops) -> bool:
    """Whether the kernel complains that something waited or spun for too long, as it seems to do in a machine that was held."""
    return report.kind in _STALLS


def spoiled_by(reports: Iterable[Oops]) -> str:
    """The title of the first report after which a guest is not used on; empty when there is none."""
    return next((report.title for report in reports if report.spoils), "")


def as_stored(report: Oops) -> KernelReport:
    """A report as the store has it."""
    return KernelReport(report.kind, report.signature, report.title, report.gates, report.text)


def doubt(outcome: Outcome, said: Sequence[str], lost: float, why: str, *, last: bool) -> str:
    """Why an outcome is not believed, in a line; "" when it is.

    The test was held up for `lost` seconds: it may have failed for that, and so may the kernel's watchdogs complain that
    found its clock gone on. A failure in the test's own words is believed in the `last` of several tries; a hang is not.
    """
    if not lost:
        return ""
    reports = find_reports(said)
    if any(report.gates and not is_stall(report) for report in reports):
        return ""  # no hold makes a kernel say that
    if not outcome.status.is_bad and not any(map(is_stall, reports)):
        return ""
    if last and outcome.status is Status.FAIL and not any(map(is_stall, reports)):
        return ""
    return f"what came of it is not believed: it was held up for {lost:.0f} s ({why})"


def of_the_kernel(lines: Sequence[str], lost: float) -> list[str]:
    """These lines of a console; of one that was held for `lost` seconds, the reports alone that no hold explains."""
    if not lost:
        return list(lines)
    return [line for report in find_reports(lines) if not is_stall(report) for line in report.text.splitlines()]
