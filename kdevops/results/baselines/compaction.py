"""Several files of counts become one that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from kdevops.results.baselines import test_list
from kdevops.results.baselines.counted import Counted, format_counted
from kdevops.results.baselines.entry import Entry
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import Texts, counts_among
from kdevops.results.baselines.summing import Lists, Part, standing, total
from kdevops.results.baselines.tables import Place, read_parts
from kdevops.results.baselines.test_list import TestList
from kdevops.results.model import Counts


def compacted(parts: Sequence[Part], lists: Lists) -> Counted:
    """One file of counts that says what these say together. Raises UserError if that cannot be told."""
    kept = standing(parts)
    unnamed: dict[str, int] = {}
    for part in kept:
        for name, times in part.counted.unnamed.items():
            unnamed[name] = unnamed.get(name, 0) + times
    whole = Counted(
        {unit: said for part in kept for unit, said in part.counted.units.items()},
        {},
        unnamed,
        frozenset[str]().union(*(part.counted.instead for part in kept)),
        tuple(dict.fromkeys(line for part in kept for line in part.counted.header)),
    )
    return with_lines(whole, total(kept, lists), lists)


def compacting(files: Files, place: Place) -> tuple[Texts, list[PurePosixPath]] | None:
    """The one file of counts, and those that it stands for; None if there is at most one already.

    Lists that nothing names any more are among the latter. Raises UserError if the sum cannot be told.
    """
    paths = counts_among(place.names)
    if len(paths) < 2 or place.old is not None:
        return None
    parts, lists = read_parts(files, place)
    whole = compacted(parts, lists)
    unused = [name for each in lists.keys() - whole.lists.keys() for name in place.folder.files_of_list(each)]
    return {place.folder.file(whole): format_counted(whole)}, [*paths, *unused]


def with_lines(counted: Counted, entries: Mapping[str, Entry], lists: Mapping[str, TestList]) -> Counted:
    """The same with a line for each test of which the lists alone do not say what these entries do."""
    alone = test_list.counts_of(counted.lists, lists)
    lines = {name: each for name, each in entries.items() if each.symptoms or each.counts != alone.get(name)}
    lines |= {name: Entry(Counts()) for name in alone.keys() - entries.keys()}
    return Counted(counted.units, lines, counted.unnamed, counted.instead, counted.header)
