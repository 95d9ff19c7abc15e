"""What the kernel reported while tests ran, held against the reports that are known.

A report of the kernel's own trouble makes a run red, whatever became of the test, unless the baseline knows its
signature or the baseline arm has it too. Three things are told and gate nothing: a file system's notice of an error that a
test provoked; the report that explains a crash or a hang and those that follow from it, because the end of the test
gates already; and what is under a test that an expunge list knows to go wrong, which says neither how nor where.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.results.rows import MAX_REPORTS, signature_of
from kdevops.results.text import clean

FLOOD = "more different kernel reports under one test than are kept"
"""Signature of what was cut where every report that was kept is another trouble: what is not kept may be anything."""
_ENDS = frozenset({Status.CRASH, Status.HANG})


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


def complaints(outcome: Outcome, known: Collection[str], *, excused: bool = False) -> tuple[Complaint, ...]:
    """The reports of a test; `known` are signatures, `excused` says that an expunge list knows that it goes wrong."""
    own = _own(outcome)
    return tuple(
        Complaint(
            report,
            known=signature_of(report) in known,
            gates=report.gates and not excused and number < own and signature_of(report) not in known,
        )
        for number, report in enumerate(reports_of(outcome))
    )


def reports_of(outcome: Outcome) -> tuple[KernelReport, ...]:
    """All that a test's outcome has of reports: also the one report of runs that were stored before there could be more."""
    if not outcome.reports and outcome.oops and outcome.status not in _ENDS:
        title = next((line for line in map(clean, outcome.oops.splitlines()) if line), "")
        return (KernelReport("", title, title, gates=False, text=outcome.oops),) if title else ()
    distinct = {signature_of(report) for report in outcome.reports}
    if outcome.reports_cut and len(distinct) >= MAX_REPORTS:
        return (*outcome.reports, KernelReport("flood", FLOOD, FLOOD, gates=True, text=""))
    return outcome.reports


def signatures(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """Those of the kernel's own trouble: what a baseline learns."""
    return frozenset(_signatures(outcomes))


def _signatures(outcomes: Iterable[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        yield from (signature_of(report) for report in reports_of(outcome) if report.gates)


def _own(outcome: Outcome) -> int:
    """How many of the reports are judged by themselves: those before the one that explains how the test ended."""
    if outcome.status not in _ENDS or not outcome.oops:
        return len(outcome.reports) + 1
    same = [number for number, report in enumerate(outcome.reports) if report.text == outcome.oops]
    named = [number for number, report in enumerate(outcome.reports) if report.title and report.title in outcome.oops]
    return next(iter([*same, *named]), 0)
