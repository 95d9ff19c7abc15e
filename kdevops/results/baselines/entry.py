"""What a baseline knows of one test, and how the results of a run change that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.rate import counts_of
from kdevops.results.symptoms import kind_of, symptoms

_LAB = re.compile(r", lab (?P<lab>.+?)(?:, begun)?$")
MAX_SYMPTOMS = 10_000
"""Symptoms kept per test: the worst kinds first, then the most frequent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The number of results that had a symptom, and an optional note."""

    times: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The history of one test. `seconds` is its usual duration, to a tenth, None while unknown.

    `expunged`: it is on an expunge list. `counts` then are our own, which are `own`, and those of its note about other
    people's runs, where a failure may also be a crash or a hang. `symptoms` are the ways in which it went bad; without one of
    a status that it had, nobody can say how. `symptoms_cut` counts those that were dropped because there were too many.
    `until`: the last day on which it is known to go bad.
    """

    counts: Counts
    seconds: float | None = None
    note: str = ""
    expunged: bool = False
    symptoms: Mapping[str, Seen] = field(default_factory=dict)
    symptoms_cut: int = 0
    own: Counts = field(default_factory=Counts)
    until: date | None = None

    @property
    def ours(self) -> Counts:
        """Those of the counts that are our own results."""
        return self.own if self.expunged else self.counts

    @property
    def only_listed(self) -> bool:
        """Whether an expunge list is all that is known of how the test ends: it never ran here."""
        return self.expunged and not self.own.ran

    @property
    def listed_flaky(self) -> bool:
        """Whether an expunge list says that the test fails now and then."""
        return self.expunged and self.counts[Status.PASS] > self.own[Status.PASS]

    @property
    def evidence(self) -> Counts:
        """The counts against which a kernel is judged: other people's passes accuse nobody, but their failures may excuse."""
        others = self.counts[Status.PASS] - self.ours[Status.PASS]
        return Counts({s: n - others * (s is Status.PASS) for s, n in self.counts.counts.items()})

    def on(self, today: date | None) -> Entry:
        """What it says on a day: from the day after `until` on, nothing of how the test went bad."""
        if self.until is None or today is None or today <= self.until:
            return self
        good = Counts({status: number for status, number in self.counts.counts.items() if not status.is_bad})
        return Entry(good, self.seconds, self.note)

    def tells_how(self, status: Status) -> bool:
        """Whether it says how the test ended with this bad status; also if it never did. An expunge list does not."""
        if self.counts[status] > self.ours[status]:
            return False
        return not self.counts[status] or any(kind_of(each) is status for each in self.symptoms)

    def most_seen(self, symptom: str) -> int:
        """How many of the results had this symptom: those seen, and those that surely are ones of which nobody can say how."""
        kind = kind_of(symptom)
        said = sum(seen.times for each, seen in self.symptoms.items() if kind_of(each) is kind)
        times = self.symptoms[symptom].times if symptom in self.symptoms else 0
        return times + max(0, self.counts[kind] - said)


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of a suite and profile: entries by test name. `series` is that of the kernels that ran the tests.

    `older`: what is known of other tests, of which there is nothing for the series but for an older one. `seconds`: the usual
    duration of tests; `runs`: what is said of those that were counted, by mark and list of tests; `header`: comment lines of
    an old file; `suite_series`: the series of the suite, "" if it has none.
    """

    series: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    runs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    suite_series: str = ""
    older: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def labs(self) -> frozenset[str]:
        """The labs of the runs that were counted."""
        return frozenset(match["lab"] for said in self.runs.values() if (match := _LAB.search(said)))

    def entry(self, name: str) -> Entry | None:
        """What is known of a test, None if nothing."""
        return self.entries.get(name) or self.older.get(name)


def with_list(entry: Entry | None, why: str) -> Entry:
    """What is known of a test that is on an expunge list for this reason: the note of the list is kept, after our own."""
    listed = counts_of(why)
    if entry is None:
        return Entry(listed, note=why, expunged=True)
    note = "; ".join(dict.fromkeys(filter(None, [entry.note, why])))
    return replace(entry, counts=entry.counts + listed, note=note, expunged=True, own=entry.counts)


def added(one: Entry, other: Entry) -> Entry:
    """The sum of what two files of counts say of a test."""
    found = dict(one.symptoms)
    for each, seen in other.symptoms.items():
        found[each] = Seen(found[each].times + seen.times, found[each].note) if each in found else seen
    kept, cut = _most(found, max(one.symptoms_cut, other.symptoms_cut))
    return Entry(one.counts + other.counts, symptoms=kept, symptoms_cut=cut)


def of_results(test: TestId, results: Sequence[Outcome]) -> Entry:
    """What these results of `test` say of it."""
    found = Counter(each for outcome in results for each in symptoms(test, outcome))
    kept, cut = _most({each: Seen(times) for each, times in found.items()}, 0)
    return Entry(Counts.of(outcome.status for outcome in results), symptoms=kept, symptoms_cut=cut)


def _most(found: Mapping[str, Seen], cut: int) -> tuple[Mapping[str, Seen], int]:
    """The symptoms that are kept, and how many were cut."""
    if len(found) <= MAX_SYMPTOMS:
        return found, cut
    worst = sorted(found, key=lambda each: (-kind_of(each).ending.severity, -found[each].times, each))[:MAX_SYMPTOMS]
    return {each: found[each] for each in worst}, max(cut, len(found) - MAX_SYMPTOMS)
