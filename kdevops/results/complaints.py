"""Kernel reports during tests, compared with the known reports.

A report of a kernel problem makes a run red, whatever the test's status, unless its signature is in the baseline, the
baseline kernel has it too, or the baseline's `reports.yaml` allows it for now. Three kinds are shown but do not gate: a file
system's notice of an error that a test provoked; the report that explains a crash, those that follow from it, and the
stalls of a hang, because the test's status gates already; and reports during a bad test that an expunge list marks as
failing, which does not say how it fails.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from kdevops.results.baselines.allowed_reports import FLOOD_KIND, AllowedReport, AllowedReports
from kdevops.results.model import KernelReport, Outcome, Status, TestId
from kdevops.results.rows import signature_of
from kdevops.text import clean

FLOOD = "more kernel reports than are kept, the first"
"""Prefix of the signature for dropped reports when all kept ones gate: the dropped ones may be anything."""
NONE_ALLOWED = AllowedReports()
STRAY_REPORTS = "stray_reports"
"""Key in the record of a run: kernel reports outside of tests, at boot or between two tests."""
_STALL = re.compile(r"\b(?:lockup|stall|hung task|csd lock|need resched)\b")
"""Kinds of reports that belong to a hang."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One report of a test.

    `known`: the baseline or the baseline kernel has its signature, or `rule` allows it. `gates`: it makes the run red.
    `rule`: the entry of `reports.yaml` that allows it, or did until it ended.
    """

    report: KernelReport
    known: bool
    gates: bool
    rule: AllowedReport | None = None

    @property
    def note(self) -> str:
        """What `reports.yaml` says of it, in one line; "" if nothing."""
        if self.rule is None:
            return ""
        return str(self.rule) if self.known else f"it was allowed until {self.rule.until}: {self.rule.reason}"

    @property
    def signature(self) -> str:
        """The name of the problem across runs."""
        return signature_of(self.report)


@dataclass(frozen=True, slots=True)
class Stray:
    """A report outside of tests, with its guest and when it occurred ("at boot")."""

    complaint: Complaint
    guest: str
    when: str


def strays(
    record: Iterable[Mapping[str, Any]], known: Collection[str], allowed: AllowedReports = NONE_ALLOWED
) -> tuple[Stray, ...]:
    """The reports outside of tests in a run's record. They gate too: a test's effects may show after its end."""
    return tuple(
        Stray(_complaint(stray_report(each), _test_of(each), known, allowed), str(each["guest"]), str(each["when"]))
        for each in record
    )


def _test_of(said: Mapping[str, Any]) -> TestId | None:
    """The test under which a report of a rerun was given; None outside of tests."""
    return TestId(*said["test"].split("/", 2)) if "test" in said else None


def stray_report(said: Mapping[str, Any]) -> KernelReport:
    """Read a report from a run's record."""
    return KernelReport(said["kind"], said["signature"], said["title"], bool(said["gates"]), said["text"])


def complaints(
    outcome: Outcome,
    known: Collection[str],
    *,
    excused: bool = False,
    explained: bool = True,
    test: TestId | None = None,
    allowed: AllowedReports = NONE_ALLOWED,
) -> tuple[Complaint, ...]:
    """The reports of a test; `known` are signatures, `excused`: an expunge list marks the test as failing.

    `explained`: what explains a crash or a hang does not gate again, because the crash does.
    """
    if not (reports := reports_of(outcome)):
        return ()
    explaining = _explaining(outcome) if explained else ()
    found = (_complaint(report, test, known, allowed) for report in reports)
    return tuple(
        replace(each, gates=each.gates and not excused and number not in explaining)
        for number, each in enumerate(found)
    )


def _complaint(report: KernelReport, test: TestId | None, known: Collection[str], allowed: AllowedReports) -> Complaint:
    is_known = signature_of(report) in known
    rule = None if is_known or not report.gates else allowed.rule_for(report, test)
    is_known = is_known or allowed.holds(rule)
    return Complaint(report, known=is_known, gates=report.gates and not is_known, rule=rule)


def reports_of(outcome: Outcome) -> tuple[KernelReport, ...]:
    """All reports of an outcome, including the single report of runs stored by older versions."""
    if not outcome.reports and outcome.oops and not outcome.status.took_the_guest:
        title = next((line for line in map(clean, outcome.oops.splitlines()) if line), "")
        return (KernelReport("", title, title, gates=False, text=outcome.oops),) if title else ()
    # The worst are kept: if a notice is among them, only notices and repeats were dropped.
    if outcome.reports and outcome.reports_cut and all(report.gates for report in outcome.reports):
        name = f"{FLOOD} {signature_of(outcome.reports[0])}"
        return (*outcome.reports, KernelReport(FLOOD_KIND, name, name, gates=True, text=""))
    return outcome.reports


def signatures(
    outcomes: Mapping[TestId, Outcome],
    strays: Iterable[Mapping[str, Any]] = (),
    allowed: AllowedReports = NONE_ALLOWED,
) -> frozenset[str]:
    """Signatures of reports that gate, for the baseline to learn. `strays` are those in the run's record.

    What is only `allowed` for a time is left out: it must be unknown again when that time ends.
    """
    found: Iterator[tuple[TestId | None, KernelReport]] = chain(
        ((test, report) for test, outcome in outcomes.items() for report in reports_of(outcome)),
        ((None, stray_report(each)) for each in strays),
    )
    return frozenset(
        signature_of(report)
        for test, report in found
        if report.gates and not allowed.holds(allowed.rule_for(report, test))
    )


def cause(outcome: Outcome) -> KernelReport | None:
    """The report that is the cause of a crash; None if the kernel reported nothing."""
    at = _causing(outcome) if outcome.oops else len(outcome.reports)
    return outcome.reports[at] if at < len(outcome.reports) else None


def _explaining(outcome: Outcome) -> Collection[int]:
    """Indices of the reports that explain the test's status: for a crash, from its cause on; for a hang, the stalls."""
    reports = outcome.reports
    if outcome.status is Status.HANG:
        return {number for number, report in enumerate(reports) if _STALL.search(report.kind)}
    if outcome.status is not Status.CRASH or not outcome.oops:
        return ()
    return range(_causing(outcome), len(reports))


def _causing(outcome: Outcome) -> int:
    """The index of the report that is the cause of a crash; the number of reports if none of them is."""
    same = [number for number, report in enumerate(outcome.reports) if report.text == outcome.oops]
    named = [number for number, report in enumerate(outcome.reports) if report.title and report.title in outcome.oops]
    return next(iter([*same, *named]), len(outcome.reports))
