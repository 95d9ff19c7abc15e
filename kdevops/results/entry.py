"""What a baseline knows of one test, and how the results of a run change that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.rate import counts_of
from kdevops.results.symptoms import kind_of, symptoms

MAX_SYMPTOMS = 10_000
"""Symptoms kept per test: the worst kinds first, then the most frequent."""
_SAME_SECONDS = 0.25


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
    """

    counts: Counts
    seconds: float | None = None
    note: str = ""
    expunged: bool = False
    symptoms: Mapping[str, Seen] = field(default_factory=dict)
    symptoms_cut: int = 0
    own: Counts = field(default_factory=Counts)

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
    """One file: entries by test name, and the comment lines above them. `series` is that of the file."""

    series: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    header: tuple[str, ...] = ()


def with_list(entry: Entry | None, why: str) -> Entry:
    """What is known of a test that is on an expunge list for this reason: the note of the list is kept, after our own."""
    listed = counts_of(why)
    if entry is None:
        return Entry(listed, note=why, expunged=True)
    note = "; ".join(dict.fromkeys(filter(None, [entry.note, why])))
    return replace(entry, counts=entry.counts + listed, note=note, expunged=True, own=entry.counts)


def updated(before: Entry | None, test: TestId, repeats: Sequence[Outcome], *, afresh: bool) -> Entry:
    """The entry of `test` with these results added; `afresh`: counts and symptoms restart, notes of what recurs stay."""
    entry = before or Entry(Counts())
    now = Counts.of(outcome.status for outcome in repeats)
    known, cut = _symptoms(
        entry, Counter(each for outcome in repeats for each in symptoms(test, outcome)), afresh=afresh
    )
    return replace(
        entry,
        counts=now if afresh else entry.counts + now,
        seconds=_usual(entry.seconds, repeats),
        symptoms=known,
        symptoms_cut=cut,
    )


def _symptoms(entry: Entry, now: Mapping[str, int], *, afresh: bool) -> tuple[Mapping[str, Seen], int]:
    """The symptoms with those of `now` counted, and how many are cut."""
    before, cut = ({}, 0) if afresh else (entry.symptoms, entry.symptoms_cut)
    added = {}
    for each, times in now.items():
        note = entry.symptoms[each].note if each in entry.symptoms else ""
        added[each] = Seen((before[each].times if each in before else 0) + times, note)
    found = {**before, **added}
    if len(found) <= MAX_SYMPTOMS:
        return found, cut
    worst = sorted(found, key=lambda each: (-kind_of(each).ending.severity, -found[each].times, each))[:MAX_SYMPTOMS]
    return {each: found[each] for each in worst}, max(cut, len(found) - MAX_SYMPTOMS)


def _usual(before: float | None, repeats: Sequence[Outcome]) -> float | None:
    """The old duration unless the new one clearly differs: noise must not change every line of a file."""
    seconds = [outcome.seconds for outcome in repeats if outcome.status.ran_to_its_end]
    if not seconds:
        return before
    now = round(median(seconds), 1)
    if before is not None and abs(now - before) <= max(1.0, _SAME_SECONDS * before):
        return before
    return now
