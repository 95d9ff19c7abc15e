"""What the kernel reported while tests ran, each trouble once: shared by every report for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdevops.report.alike import alike
from kdevops.report.counting import many
from kdevops.results.complaints import Complaint, Stray
from kdevops.results.model import Outcome, Status
from kdevops.results.verdict import Judged, RunVerdict
from kdevops.text import clean

UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE = "not known", "known", "under a known failure", "", "a notice"
"""What is said of a trouble, in the order in which it is told. OLD is of runs that were stored without more than a text."""
_ORDER = (UNKNOWN, KNOWN, EXCUSED, OLD, NOTICE)
OUTSIDE = "kernel reports outside of tests"
"""What stands in place of a test's name, in formats that know nothing but tests."""
_Seen = Judged | Stray


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble of the kernel: what is said of it, how often it was reported, and under which tests or else when."""

    name: str
    label: str
    times: int
    tests: tuple[Judged, ...]
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.label}" if self.label else self.name


def troubles(verdict: RunVerdict) -> list[Trouble]:
    """All troubles, those that nobody knows first, then the most frequent.

    What explains a crash or a hang is told with its test, and not here.
    """
    found: dict[str, list[tuple[str, Judged | Stray]]] = {label: [] for label in _ORDER}
    for judged in verdict.tests:
        for complaint in judged.complaints:
            label = label_of(complaint, judged.outcome.status)
            if label is not None:
                found[label].append((complaint.signature, judged))
    for stray in verdict.strays:
        found[label_of(stray.complaint) or KNOWN].append((stray.complaint.signature, stray))
    return [
        Trouble(
            name,
            label,
            len(seen),
            tuple({each.test: each for each in seen if isinstance(each, Judged)}.values()),
            tuple(dict.fromkeys(_when(each) for each in seen if isinstance(each, Stray))),
        )
        for label in _ORDER
        for name, seen in _grouped(label, found[label])
    ]


def label_of(complaint: Complaint, status: Status = Status.PASS) -> str | None:
    """What is said of a report under a test that ended so; None for one that explains that end, or follows from it."""
    if complaint.gates:
        return UNKNOWN
    if not complaint.report.gates:
        return NOTICE if complaint.report.kind else OLD
    if complaint.known:
        return KNOWN
    return None if status.took_the_guest else EXCUSED


def under(found: Sequence[Trouble]) -> int:
    """How many tests these troubles were reported under."""
    return len({each.test for trouble in found for each in trouble.tests})


def where(found: Sequence[Trouble], noun: str = "test") -> str:
    """Where these troubles were reported: "under 3 tests and outside of tests"."""
    tests = under(found)
    parts = [f"under {many(tests, noun)}"] if tests else []
    return " and ".join([*parts, *(["outside of tests"] if any(trouble.beside for trouble in found) else [])])


def brief(outcome: Outcome) -> str:
    """What the kernel reported of its own trouble while a test ran, for its line; what ended it, its reason tells."""
    titles = [clean(each.title or each.signature) for each in outcome.reports if each.gates]
    if not titles or outcome.status.took_the_guest:
        return ""
    more = len(titles) - 1 + outcome.reports_cut
    return f"kernel: {titles[0]}" + (f" and {more} more" if more else "")


def unknown_under(judged: Judged) -> tuple[str, ...]:
    """Signatures of what nobody knows among the reports under a test, each once."""
    return tuple(dict.fromkeys(each.signature for each in judged.complaints if each.gates))


def unknown_outside(verdict: RunVerdict) -> tuple[str, ...]:
    """The same of the reports that no test is to blame for."""
    return tuple(dict.fromkeys(each.complaint.signature for each in verdict.strays if each.complaint.gates))


def lines(judged: Judged) -> Iterator[str]:
    """Each report of a test in a line, with what is said of it."""
    for complaint in judged.complaints:
        label = label_of(complaint, judged.outcome.status)
        yield clean(complaint.report.title or complaint.signature) + (f" ({label})" if label else "")


def _when(stray: Stray) -> str:
    return clean(f"{stray.when} on {stray.guest}")


def _grouped(label: str, items: Sequence[tuple[str, _Seen]]) -> list[tuple[str, list[_Seen]]]:
    if label == OLD:  # these have no signature, and so the numbers in their titles tell them apart
        return alike(items)
    same: dict[str, list[_Seen]] = {}
    for name, seen in items:
        same.setdefault(clean(name), []).append(seen)
    return sorted(same.items(), key=lambda group: (-len(group[1]), group[0]))
