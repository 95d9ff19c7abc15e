"""Kernel reports of a run, each problem once: shared by all reports for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdevops.report.alike import alike
from kdevops.report.counting import many
from kdevops.results.baselines.allowed_reports import AllowedReport
from kdevops.results.complaints import Complaint, Stray
from kdevops.results.model import Outcome, Status
from kdevops.results.verdict import Judged, RunVerdict
from kdevops.text import clean

UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE = "not known", "known", "under a known failure", "", "a notice"
"""Labels of kernel reports, in display order. OLD is for runs stored by a version that kept only a text."""
_ORDER = (UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE)
OUTSIDE = "kernel reports outside of tests"
"""Replaces a test's name in formats that only support tests."""
_Seen = Judged | Stray


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kernel problem: its label, how often it was reported, and during which tests, or else (`beside`) when.

    `note`: what the baseline's list of allowed reports says of it. `rule`: the entry that allows it.
    """

    name: str
    label: str
    times: int
    tests: tuple[Judged, ...]
    beside: tuple[str, ...] = ()
    note: str = ""
    rule: AllowedReport | None = None

    def __str__(self) -> str:
        text = f"{self.name}: {self.label}" if self.label else self.name
        return f"{text} ({clean(self.note)})" if self.note else text


def troubles(verdict: RunVerdict) -> list[Trouble]:
    """All kernel problems, unknown ones first, then the most frequent.

    A report that explains a crash or a hang is shown with its test, not here.
    """
    found: dict[str, list[tuple[str, Judged | Stray]]] = {label: [] for label in _ORDER}
    rules: dict[tuple[str, str], Complaint] = {}
    for judged in verdict.tests:
        for complaint in judged.complaints:
            label = label_of(complaint, judged.outcome.status)
            if label is not None:
                found[label].append((complaint.signature, judged))
                _note(rules, label, complaint)
    for stray in verdict.strays:
        label = label_of(stray.complaint) or KNOWN
        found[label].append((stray.complaint.signature, stray))
        _note(rules, label, stray.complaint)
    return [
        Trouble(
            name,
            label,
            len(seen),
            tuple({each.test: each for each in seen if isinstance(each, Judged)}.values()),
            tuple(dict.fromkeys(_when(each) for each in seen if isinstance(each, Stray))),
            rule.note if (rule := rules.get((label, name))) else "",
            rule.rule if rule and rule.known else None,
        )
        for label in _ORDER
        for name, seen in _grouped(label, found[label])
    ]


def label_of(complaint: Complaint, status: Status = Status.PASS) -> str | None:
    """The label of a report during a test with this status; None if it explains that status or follows from it."""
    if complaint.gates:
        return UNKNOWN
    if not complaint.report.gates:
        return NOTICE if complaint.report.kind else OLD
    if complaint.known:
        return KNOWN
    return None if status.took_the_guest else EXCUSED


def under(found: Sequence[Trouble]) -> int:
    """Number of tests with these reports."""
    return len({each.test for trouble in found for each in trouble.tests})


def where(found: Sequence[Trouble], noun: str = "test") -> str:
    """Where these reports occurred: "under 3 tests and outside of tests"."""
    tests = under(found)
    parts = [f"under {many(tests, noun)}"] if tests else []
    return " and ".join([*parts, *(["outside of tests"] if any(trouble.beside for trouble in found) else [])])


def brief(outcome: Outcome) -> str:
    """Kernel reports during a test, for its line; "" if they ended it, since its reason says so."""
    titles = [clean(each.title or each.signature) for each in outcome.reports if each.gates]
    if not titles or outcome.status.took_the_guest:
        return ""
    more = len(titles) - 1 + outcome.reports_cut
    return f"kernel: {titles[0]}" + (f" and {more} more" if more else "")


def unknown_under(judged: Judged) -> tuple[str, ...]:
    """Signatures of the unknown reports during a test, each once."""
    return tuple(dict.fromkeys(each.signature for each in judged.complaints if each.gates))


def unknown_outside(verdict: RunVerdict) -> tuple[str, ...]:
    """Signatures of the unknown reports outside of tests, each once."""
    return tuple(dict.fromkeys(each.complaint.signature for each in verdict.strays if each.complaint.gates))


def lines(judged: Judged) -> Iterator[str]:
    """Each report of a test in one line, with its label."""
    for complaint in judged.complaints:
        label = label_of(complaint, judged.outcome.status)
        yield clean(complaint.report.title or complaint.signature) + (f" ({label})" if label else "")


def _note(rules: dict[tuple[str, str], Complaint], label: str, complaint: Complaint) -> None:
    """Keep the first report of each problem for which the list of allowed reports has an entry."""
    if complaint.rule:
        rules.setdefault((label, clean(complaint.signature)), complaint)


def _when(stray: Stray) -> str:
    return clean(f"{stray.when} on {stray.guest}")


def _grouped(label: str, items: Sequence[tuple[str, _Seen]]) -> list[tuple[str, list[_Seen]]]:
    if label == OLD:  # these have no signature, and their titles differ in numbers
        return alike(items)
    same: dict[str, list[_Seen]] = {}
    for name, seen in items:
        same.setdefault(clean(name), []).append(seen)
    return sorted(same.items(), key=lambda group: (-len(group[1]), group[0]))
