"""Tables as older versions wrote them, read as the counts of runs that nobody can tell apart.

They had one file for a suite and profile of a series, with the counts of all runs, and `accepted.txt` with the marks of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdevops.results.baselines.counted import UNTOLD, Counted, Unit
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.baselines.notes import Note
from kdevops.results.baselines.test_list import name_of


@dataclass(frozen=True, slots=True)
class OldTable:
    """What such a table says: counts, seconds by test, and notes."""

    counted: Counted
    seconds: Mapping[str, float]
    notes: tuple[Note, ...]


def of_table(table: Table, text: str, marks: Mapping[str, str]) -> OldTable:
    """`text`: that of the table; `marks`: the runs that were counted in the files of its series, and what is said of each."""
    unknown = Unit(name_of(text), "")
    units = {unknown: UNTOLD} | {Unit(mark, ""): said for mark, said in marks.items()}
    entries, notes, seconds = {}, [], {}
    for name, entry in table.entries.items():
        symptoms = {each: Seen(seen.times) for each, seen in entry.symptoms.items()}
        entries[name] = Entry(entry.counts, symptoms=symptoms, symptoms_cut=entry.symptoms_cut)
        notes += [Note(name, "", None, entry.note)] if entry.note else []
        notes += [Note(name, each, None, seen.note) for each, seen in entry.symptoms.items() if seen.note]
        if entry.seconds is not None:
            seconds[name] = entry.seconds
    return OldTable(Counted(units, entries, header=table.header), seconds, tuple(notes))
