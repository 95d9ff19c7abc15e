"""The sum of files of counts, in which every run counts once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.baselines.counted import UNTOLD, Counted
from kdevops.results.baselines.entry import Entry, added
from kdevops.results.baselines.test_list import TestList, counts_of

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
            raise UserError(
                f"{others[0].path} and {part.path} have runs in common, but neither has all", hint=_apart(part)
            )
        kept.append(part)
    untold = [part for part in kept if UNTOLD in part.counted.units.values()]
    if len(untold) > 1:
        raise UserError(
            f"{untold[0].path} and {untold[1].path} both have tables of an older kdevops, which may have counted the same runs",
            hint="remove the one that knows less with `git rm`",
        )
    return kept


def each_once(parts: Sequence[Part], lists: Lists) -> Iterator[tuple[Part, dict[str, Entry]]]:
    """The files that count, each with the entries of which no other one has the results. Raises UserError as `total` does."""
    kept = standing(parts)
    entries = [entries_of(each.counted, lists) for each in kept]
    for one, other in combinations(range(len(kept)), 2):
        # Two selections of one run: a test that is in both counts once. The larger file comes first.
        if both := _of_one_run(kept[one], kept[other], lists) & entries[other].keys():
            if len(kept[other].counted.units) > 1 or kept[other].counted.unnamed:
                raise UserError(
                    f"{kept[one].path} and {kept[other].path} have tests of one run in common", hint=_apart(kept[other])
                )
            for name in both:
                del entries[other][name]
    replacing = [(each, entries_of(each.counted, lists)) for each in kept if each.counted.instead]
    for (one_part, first), (other_part, second) in combinations(replacing, 2):
        _check_replacing(one_part, first, other_part, second)
    for part, of_part in zip(kept, entries, strict=True):
        for by, of_by in replacing:
            marks = part.counted.marks
            if by is part or marks.isdisjoint(by.counted.instead):
                continue
            if not marks <= by.counted.instead:
                raise UserError(f"{by.path} replaces runs of {part.path}, but not all", hint=_apart(part))
            for name in of_by.keys() & of_part.keys():
                del of_part[name]
        yield part, of_part


def _apart(part: Part) -> str:
    """What brings back the files of the single runs that were put into one."""
    git, name = f"git -C {shlex.quote(str(part.path.parent))}", shlex.quote(part.path.name)
    return (
        f"take back the compaction that made {part.path.name}, after which each run counts once: "
        f"{git} revert $({git} log --full-history --diff-filter=A -1 --format=%H -- {name})"
    )


def _of_one_run(one: Part, other: Part, lists: Lists) -> set[str]:
    """The tests that two files both have of one run."""
    found: set[str] = set()
    for mark in one.counted.marks & other.counted.marks:
        found |= _tests_of(one, mark, lists) & _tests_of(other, mark, lists)
    return found


def _tests_of(part: Part, mark: str, lists: Lists) -> set[str]:
    """The tests of a run that a file may count: all that it has, if it does not say which."""
    named = [unit.tests for unit in part.counted.units if unit.mark == mark]
    if "" in named:
        return set(entries_of(part.counted, lists))
    return {test for name in named for test in lists[name]}


def _check_replacing(one: Part, first: Mapping[str, Entry], other: Part, second: Mapping[str, Entry]) -> None:
    """Refuse two files of which each takes back what the other has, and two that both keep passes of the same results."""
    both = first.keys() & second.keys()
    mine, theirs = one.counted.instead & other.counted.marks, other.counted.instead & one.counted.marks
    if both and mine and theirs:
        raise UserError(
            f"{one.path} and {other.path} replace each other: nothing of either would count",
            hint=f"remove one of these lines: `instead {min(theirs)}` in {other.path.name}, "
            f"or `instead {min(mine)}` in {one.path.name}",
        )
    keeping = all(not unit.tests for part in (one, other) for unit in part.counted.units)
    twice = any(first[name].counts.total and second[name].counts.total for name in both)
    if keeping and twice and one.counted.instead & other.counted.instead:
        raise UserError(
            f"{one.path} and {other.path} forget failures of the same runs: the passes would count twice",
            hint="remove one of them with `git rm`, then run `kdevops baseline prune` again",
        )
