"""What the kernel reported while tests ran, each trouble once: shared by every report for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kdevops.report.alike import alike
from kdevops.results.complaints import Complaint
from kdevops.results.model import Outcome, Status
from kdevops.results.text import clean
from kdevops.results.verdict import Judged, RunVerdict

UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE = "not known", "known", "under a known failure", "", "a notice"
"""What is said of a trouble, in the order in which it is told. OLD is of runs that were stored without more than a text."""
_ORDER = (UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE)
_ENDS = frozenset({Status.CRASH, Status.HANG})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble of the kernel: what is said of it, how often it was reported, and under which tests."""

    name: str
    label: str
    times: int
    tests: tuple[Judged, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.label}" if self.label else self.name


def troubles(verdict: RunVerdict) -> list[Trouble]:
    """All troubles, those that nobody knows first, then the most frequent.

    What explains a crash or a hang is told with its test, and not here.
    """
    found: dict[str, list[tuple[str, Judged]]] = {label: [] for label in _ORDER}
    for judged in verdict.tests:
        for complaint in judged.complaints:
            label = label_of(judged, complaint)
            if label is not None:
                found[label].append((complaint.signature, judged))
    return [
        Trouble(name, label, len(under), tuple({each.test: each for each in under}.values()))
        for label in _ORDER
        for name, under in _grouped(label, found[label])
    ]


def label_of(judged: Judged, complaint: Complaint) -> str | None:
    """What is said of a report, None for one that explains how its test ended, or follows from that."""
    if complaint.gates:
        return UNKNOWN
    if not complaint.report.gates:
        return NOTICE if complaint.report.kind else OLD
    if complaint.known:
        return KNOWN
    return None if judged.outcome.status in _ENDS else EXCUSED


def under(found: Sequence[Trouble]) -> int:
    """How many tests these troubles were reported under."""
    return len({each.test for trouble in found for each in trouble.tests})


def brief(outcome: Outcome) -> str:
    """What the kernel reported of its own trouble while a test ran, for its line; what ended it, its reason tells."""
    titles = [clean(each.title or each.signature) for each in outcome.reports if each.gates]
    if not titles or outcome.status in _ENDS:
        return ""
    more = len(titles) - 1 + outcome.reports_cut
    return f"kernel: {titles[0]}" + (f" and {more} more" if more else "")


def lines(judged: Judged) -> Iterator[str]:
    """Each report of a test in a line, with what is said of it."""
    for complaint in judged.complaints:
        label = label_of(judged, complaint)
        yield clean(complaint.report.title or complaint.signature) + (f" ({label})" if label else "")


def _grouped(label: str, items: Sequence[tuple[str, Judged]]) -> list[tuple[str, list[Judged]]]:
    if label == OLD:  # these have no signature, and so the numbers in their titles tell them apart
        return alike(items)
    same: dict[str, list[Judged]] = {}
    for name, judged in items:
        same.setdefault(clean(name), []).append(judged)
    return _frequent_first(same)


def _frequent_first(groups: Mapping[str, list[Judged]]) -> list[tuple[str, list[Judged]]]:
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
