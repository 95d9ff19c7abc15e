"""All that a baseline knows, whatever the kernel and the conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import Folder
from kdevops.results.baselines.summing import each_once
from kdevops.results.baselines.table_text import counts_text, escape, symptom_lines
from kdevops.results.baselines.tables import Place, all_places, read_parts, read_table
from kdevops.results.decision.interval import wilson
from kdevops.results.model import Status, TestId
from kdevops.results.nearest import by_release


@dataclass(frozen=True, slots=True)
class Known:
    """What one place of a baseline knows of a suite and profile."""

    place: Place
    table: Table

    @property
    def folder(self) -> Folder:
        """Where it is."""
        return self.place.folder

    def matching(self, fits: Callable[[TestId], bool]) -> Mapping[str, Entry]:
        """The entries of tests that fit, by name, sorted."""
        entries = self.table.entries
        return {name: entries[name] for name in sorted(entries) if fits(TestId(*self.folder.key, name))}


def overview(files: Files) -> Iterator[Known]:
    """What each place knows, the oldest kernels first. Raises UserError, with file and line, for a file that is not valid."""
    places = sorted(all_places(files), key=lambda each: (by_release(each.folder.kernel), str(each.folder)))
    for place in places:
        if table := read_table(files, place, gone_too=True):
            yield Known(place, table)


def by_run(files: Files, known: Known, test: str) -> Iterator[tuple[str, Entry]]:
    """What each run, or sum of runs, that counts had of a test, with what is said of the run."""
    parts, lists = read_parts(files, known.place)
    found = [(part, entries[test]) for part, entries in each_once(parts, lists) if test in entries]
    for part, entry in sorted(found, key=lambda each: sorted(each[0].counted.units.values())):
        said = sorted(part.counted.units.values())
        yield said[0] if len(said) == 1 else f"{len(said)} runs: {said[0]} … {said[-1]}", entry


def passes_simply(entry: Entry) -> bool:
    """Whether nothing is to be said of a test but that it passed, or that it was skipped."""
    return not (entry.counts.bad or entry.note or entry.until or entry.symptoms)


def lines_of(name: str, entry: Entry) -> list[str]:
    """The test with counts, rate, end and notes, then a line for each way in which it went bad."""
    counts = entry.counts
    rate = [f"({counts.bad / counts.ran:.0%})"] if counts.bad and counts[Status.PASS] else []
    until = [f"until {entry.until}"] if entry.until else []
    note = [f"# {entry.note}"] if entry.note else []
    first = "  ".join([escape(name), " ".join([counts_text(entry), *rate]), *until, *note])
    return [first, *symptom_lines(name, entry)]


def rate_text(entry: Entry) -> str:
    """How often it went bad, with the 95 % interval of that rate: "8% (1%-33%) of 13"; "" if it never ran."""
    bad, ran = entry.counts.bad, entry.counts.ran
    if not ran:
        return ""
    low, high = wilson(bad, ran)
    return f"{bad / ran:.0%} ({low:.0%}-{high:.0%}) of {ran}"
