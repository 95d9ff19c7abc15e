"""A tree of expunge lists as plain data: the text of each list, and links such as 6.1.72+ to 6.1.72."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kdevops.results.expunges.lists import parse, test_in
from kdevops.results.expunges.union import union

_MAX_LINKS = 40
"""Followed one after the other, as by Linux."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The lists by path, and the links, each with what it says, relative to where it is. All links stay inside."""

    lists: Mapping[PurePosixPath, str] = field(default_factory=dict)
    links: Mapping[PurePosixPath, str] = field(default_factory=dict)

    @property
    def entries(self) -> int:
        """The number of lines with a test, of all lists."""
        return sum(bool(test_in(line)) for text in self.lists.values() for line in text.splitlines())

    @property
    def notes(self) -> int:
        """How many of the entries have a note."""
        return sum(bool(each.note) for path, text in self.lists.items() for each in parse(text, Path(path)))

    def at(self, place: PurePosixPath) -> Mapping[PurePosixPath, str]:
        """The lists at or below a place, links followed, by path below it; PurePosixPath(".") is a list itself."""
        return dict(self._below(place, ()))

    def _below(self, place: PurePosixPath, inside: tuple[PurePosixPath, ...]) -> Iterator[tuple[PurePosixPath, str]]:
        real = self.resolved(place)
        if real is None or real in inside:
            return
        if real in self.lists:
            yield PurePosixPath(), self.lists[real]
        for path, text in self.lists.items():
            if real in path.parents:
                yield path.relative_to(real), text
        for link in self.links:
            if real in link.parents:
                for path, text in self._below(link, (*inside, real)):
                    yield link.relative_to(real) / path, text

    def resolved(self, path: PurePosixPath) -> PurePosixPath | None:
        """The path without links; None if they lead in a circle, or out."""
        for _ in range(_MAX_LINKS):
            link = next((each for each in (*reversed(path.parents), path) if each in self.links), None)
            if link is None:
                return path
            target = posixpath.normpath(link.parent / self.links[link])
            if target.startswith(("../", "/")) or target == "..":
                return None
            path = PurePosixPath(target) / path.relative_to(link)
        return None


def merged(there: Tree, more: Tree) -> Tree:
    """Both trees in one: every list has the lines of both.

    A link stays one if both agree on it, or if only one has something in its place; otherwise its place gets lists of its
    own, which have the lines of what it led to.
    """
    lists, links = dict(there.lists), dict(there.links)

    def add(path: PurePosixPath, text: str) -> None:
        for place in (*reversed(path.parents), path):
            if links.pop(place, None) is not None:
                for below, own in there.at(place).items():
                    lists[place / below] = union(lists.get(place / below, ""), own)
        lists[path] = union(lists[path], text) if path in lists else text

    for path, text in more.lists.items():
        add(path, text)
    places = {place for path in (*there.lists, *there.links) for place in (path, *path.parents)}
    for link, target in more.links.items():
        crossed = any(parent in there.links for parent in link.parents)
        if there.links.get(link) == target and link in links:
            continue
        if link not in places and not crossed:
            links[link] = target
            continue
        for below, text in more.at(link).items():
            add(link / below, text)
    return Tree(lists, links)
