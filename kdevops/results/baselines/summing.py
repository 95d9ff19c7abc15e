"""The sum of files of counts, in which every run counts once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.baselines.counted import Counted
from kdevops.results.baselines.entry import Entry, added
from kdevops.results.baselines.test_list import TestList, counts_of

_TWICE = "compact both again from the files of the single runs, which git still has"
Lists = Mapping[str, TestList]


@dataclass(frozen=True, slots=True)
class Part:
    """A file of counts: its path, for messages, and its contents."""

    path: Path
    counted: Counted


def total(parts: Sequence[Part], lists: Lists) -> dict[str, Entry]:
    """What all files together say of each test.

    Raises UserError if two files count one run so that it cannot be told what each has of it.
    """
    found: dict[str, Entry] = {}
    for _, entries in each_once(parts, lists):
        if not found:
            found = entries
            continue
        for name, entry in entries.items():
            found[name] = added(found[name], entry) if name in found else entry
    return found


def entries_of(counted: Counted, lists: Lists) -> dict[str, Entry]:
    """What one file says of each of its tests, with those that need no line."""
    alone = counts_of(counted.lists, lists)
    shared: dict[int, Entry] = {}
    entries = {
        name: shared.get(id(counts)) or shared.setdefault(id(counts), Entry(counts)) for name, counts in alone.items()
    }
    entries.update(counted.entries)
    return entries


def standing(parts: Sequence[Part]) -> list[Part]:
    """The files that count: not those all of whose runs are in a larger one, too. Raises UserError as `total` does."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda each: (-len(each.counted.units), each.path)):
        units = part.counted.units.keys()
        others = [each for each in kept if not units.isdisjoint(each.counted.units.keys())]
        if any(units <= each.counted.units.keys() for each in others):
            continue
        if others:
            raise UserError(f"{others[0].path} and {part.path} have runs in common, but neither has all", hint=_TWICE)
        kept.append(part)
    return kept


def each_once(parts: Sequence[Part], lists: Lists) -> Iterator[tuple[Part, dict[str, Entry]]]:
    """The files that count, each with the entries of which no other one has the results. Raises UserError as `total` does."""
    kept = standing(parts)
    entries = [entries_of(each.counted, lists) for each in kept]
    for one, other in combinations(range(len(kept)), 2):
        # Two selections of one run: a test that is in both counts once. The larger file comes first.
        if not kept[one].counted.marks.isdisjoint(kept[other].counted.marks):
            both = entries[one].keys() & entries[other].keys()
            if both and max(len(kept[each].counted.units) for each in (one, other)) > 1:
                raise UserError(f"{kept[one].path} and {kept[other].path} have tests of one run in common", hint=_TWICE)
            for name in both:
                del entries[other][name]
    replacing = [(each, entries_of(each.counted, lists).keys()) for each in kept if each.counted.instead]
    for part, of_part in zip(kept, entries, strict=True):
        for by, names in replacing:
            marks = part.counted.marks
            if by is part or marks.isdisjoint(by.counted.instead):
                continue
            if not marks <= by.counted.instead:
                raise UserError(f"{by.path} replaces runs of {part.path}, but not all", hint=_TWICE)
            for name in names & of_part.keys():
                del of_part[name]
        yield part, of_part
