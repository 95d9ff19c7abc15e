"""What the kernel reported while tests ran, held against the reports that are known.

A report of the kernel's own trouble makes a run red, whatever became of the test, unless the baseline knows its
signature or the baseline arm has it too. Three things are told and gate nothing: a file system's notice of an error that a
test provoked; the report that explains a crash, those that follow from it, and the stalls of a hang, because the end of the
test gates already; and what is under a test that an expunge list knows to go wrong, which says neither how nor where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.results.rows import signature_of
from kdevops.text import clean

FLOOD = "more kernel reports than are kept, the first"
"""How the signature begins of what was cut where every report that was kept gates: what is not kept may be anything."""
STRAY_REPORTS = "stray_reports"
"""In the record of a run: the kernel's reports that no test is to blame for, made at boot or between two tests."""
_STALL = re.compile(r"\b(?:lockup|stall|hung task|csd lock|need resched)\b")
"""Kinds of reports that are of a hang and not of what else went wrong."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One report of a test. `known`: the baseline, or the baseline arm, has its signature. `gates`: it makes the run red."""

    report: KernelReport
    known: bool
    gates: bool

    @property
    def signature(self) -> str:
        """What names the trouble across runs."""
        return signature_of(self.report)


@dataclass(frozen=True, slots=True)
class Stray:
    """A report that no test is to blame for: what it is, of which guest, and when it was made ("at boot")."""

    complaint: Complaint
    guest: str
    when: str


def strays(record: Iterable[Mapping[str, Any]], known: Collection[str]) -> tuple[Stray, ...]:
    """Those of a run's record. They gate as any other: what a test left behind may be said after its end."""
    return tuple(
        Stray(
            Complaint(
                report, known=signature_of(report) in known, gates=report.gates and signature_of(report) not in known
            ),
            str(each["guest"]),
            str(each["when"]),
        )
        for each in record
        for report in [stray_report(each)]
    )


def stray_report(said: Mapping[str, Any]) -> KernelReport:
    """A report as a run's record has it."""
    return KernelReport(said["kind"], said["signature"], said["title"], bool(said["gates"]), said["text"])


def complaints(outcome: Outcome, known: Collection[str], *, excused: bool = False) -> tuple[Complaint, ...]:
    """The reports of a test; `known` are signatures, `excused` says that an expunge list knows that it goes wrong."""
    explaining = _explaining(outcome)
    return tuple(
        Complaint(
            report,
            known=signature_of(report) in known,
            gates=report.gates and not excused and number not in explaining and signature_of(report) not in known,
        )
        for number, report in enumerate(reports_of(outcome))
    )


def reports_of(outcome: Outcome) -> tuple[KernelReport, ...]:
    """All that a test's outcome has of reports: also the one report of runs that were stored before there could be more."""
    if not outcome.reports and outcome.oops and not outcome.status.took_the_guest:
        title = next((line for line in map(clean, outcome.oops.splitlines()) if line), "")
        return (KernelReport("", title, title, gates=False, text=outcome.oops),) if title else ()
    # The worst are kept: where a notice is among them, no more than notices and repeats were cut.
    if outcome.reports and outcome.reports_cut and all(report.gates for report in outcome.reports):
        name = f"{FLOOD} {signature_of(outcome.reports[0])}"
        return (*outcome.reports, KernelReport("flood", name, name, gates=True, text=""))
    return outcome.reports


def signatures(outcomes: Iterable[Outcome], strays: Iterable[Mapping[str, Any]] = ()) -> frozenset[str]:
    """Those of the kernel's own trouble: what a baseline learns. `strays` are those of the run's record."""
    beside = (stray_report(each) for each in strays)
    return frozenset([*_signatures(outcomes), *(signature_of(report) for report in beside if report.gates)])


def _signatures(outcomes: Iterable[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        yield from (signature_of(report) for report in reports_of(outcome) if report.gates)


def _explaining(outcome: Outcome) -> Collection[int]:
    """The numbers of the reports that tell how the test ended: of a crash from its cause on, of a hang the stalls."""
    reports = outcome.reports
    if outcome.status is Status.HANG:
        return {number for number, report in enumerate(reports) if _STALL.search(report.kind)}
    if outcome.status is not Status.CRASH or not outcome.oops:
        return ()
    same = [number for number, report in enumerate(reports) if report.text == outcome.oops]
    named = [number for number, report in enumerate(reports) if report.title and report.title in outcome.oops]
    return range(next(iter([*same, *named]), len(reports)), len(reports))
