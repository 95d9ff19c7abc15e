"""What a baseline need no longer know: failures whose note has ended, and those that have not come back for long.

Their results are taken back by a file of counts of its own (`instead` in `counted`), which keeps the passes of the same runs:
git merges that like the acceptance of a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from kdevops.files import digest_of
from kdevops.results.baselines import notes
from kdevops.results.baselines.counted import Counted, Unit, format_counted
from kdevops.results.baselines.entry import Entry
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import Folder, Texts
from kdevops.results.baselines.summing import Part, each_once
from kdevops.results.baselines.table_text import counts_text
from kdevops.results.baselines.tables import Place, all_places, read_notes, read_parts
from kdevops.results.model import Counts, Status

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_Entries = list[tuple[Part, dict[str, Entry]]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A test of a place whose failures need no longer be known, and why."""

    folder: Folder
    test: str
    why: str


def proposals(files: Files, *, passes: int, today: date) -> Iterator[tuple[Place, Sequence[Proposal]]]:
    """What to forget in each place. `passes`: results without a failure since the last one that make a test fixed for long.

    Raises UserError, with file and line, for a file that is not valid.
    """
    for place in all_places(files):
        if place.old is not None:
            continue
        entries = _by_day(files, place)
        ended = {note.test: note.until for note in read_notes(files, place) if note.until and note.until < today}
        found = {test: f"known until {until}" for test, until in ended.items()}
        for test in {name for _, of_part in entries for name, entry in of_part.items() if entry.counts.bad}:
            if test not in found and (since := _passes_since(entries, test)) >= passes:
                found[test] = f"{since} passes since the last failure"
        if found:
            yield place, [Proposal(place.folder, test, why) for test, why in sorted(found.items())]


def forgetting(files: Files, place: Place, tests: Iterable[str], today: date) -> Texts:
    """The files to write so that failures of these tests are unknown, and the notes on them that have ended are gone."""
    names = frozenset(tests)
    entries = _by_day(files, place)
    taken = [
        (part, of_part) for part, of_part in entries if any(of_part[name].counts.bad for name in names & of_part.keys())
    ]
    texts: Texts = {}
    if taken:
        kept = {name: Entry(_good(of_part[name] for _, of_part in taken if name in of_part)) for name in names}
        instead = frozenset(mark for part, _ in taken for mark in part.counted.marks)
        what = [sorted(instead), {name: counts_text(entry) for name, entry in kept.items()}]
        unit = Unit(digest_of(what)[:16], "")
        counted = Counted({unit: f"{today}, failures that need not be known"}, kept, instead=instead)
        texts[place.folder.file(counted)] = format_counted(counted)
    before = read_notes(files, place)
    after = [note for note in before if not (note.test in names and note.until and note.until < today)]
    if len(after) < len(before):
        texts[place.folder.path / notes.NAME] = notes.format_notes(after)
    return texts


def _by_day(files: Files, place: Place) -> _Entries:
    """The files that count, those whose newest run is the oldest first; those that do not say when come before."""
    parts, lists = read_parts(files, place)
    return sorted(each_once(parts, lists), key=lambda each: (_day(each[0].counted.units), each[0].path))


def _day(units: Mapping[Unit, str]) -> str:
    return max((match[0] for said in units.values() if (match := _DAY.search(said))), default="")


def _passes_since(entries: _Entries, test: str) -> int:
    """Passes in files after the last one with a failure."""
    passed = 0
    for _, of_part in entries:
        counts = of_part[test].counts if test in of_part else Counts()
        passed = 0 if counts.bad else passed + counts[Status.PASS]
    return passed


def _good(entries: Iterable[Entry]) -> Counts:
    found = Counts()
    for entry in entries:
        found += Counts({status: number for status, number in entry.counts.counts.items() if not status.is_bad})
    return found
