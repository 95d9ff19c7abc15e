"""Puts the lines of two lists together: nothing is lost, and what both say is there once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from kdevops.results.expunges.lists import test_in


def union(there: str, more: str) -> str:
    """The list `there` with the lines of `more` that it does not have.

    Its own lines keep their order. A new line comes after those of the same test, or before the next test in the order of
    names, with the comments above it. A test may have several lines. Union with the same again changes nothing.
    """
    if not there:
        return more
    lines = there.splitlines()
    have = {_key(line) for line in lines}
    place = _Places(lines)
    added: dict[int, list[tuple[str, list[str]]]] = {}
    for comments, line in _blocks(more.splitlines()):
        test = test_in(line)
        new = [each for each in (*comments, *([line] if line else [])) if _is_new(each, have)]
        if new:
            at = place.of(test, there=bool(line) and _key(line) not in map(_key, new))
            added.setdefault(at, []).append((test, new))
    found: list[str] = []
    for number in range(len(lines) + 1):
        for _, new in sorted(added.get(number, ()), key=lambda each: each[0]):
            found += new
        found += lines[number : number + 1]
    return "".join(f"{line}\n" for line in found)


class _Places:
    """Where new lines go among those of a list, as the number of the line before which they do."""

    def __init__(self, lines: list[str]) -> None:
        self._end = len(lines)
        self._after: dict[str, int] = {}
        self._first: dict[str, int] = {}
        above = 0
        for number, line in enumerate(lines):
            if test := test_in(line):
                self._first.setdefault(test, above)
                self._after[test] = number + 1
            if not line.lstrip().startswith("#") or test:
                above = number + 1
        self._names = sorted(self._first)

    def of(self, test: str, *, there: bool) -> int:
        """The place of a line of `test`, or of comments above one that is there; "" is for comments at the end."""
        if not test:
            return self._end
        if test in self._after:
            return self._first[test] if there else self._after[test]
        number = bisect_right(self._names, test)
        return self._first[self._names[number]] if number < len(self._names) else self._end


def _blocks(lines: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """Each line of a test with the comments above it; at the end comments with ""."""
    comments: list[str] = []
    for line in lines:
        if test_in(line):
            yield comments, line
            comments = []
        else:
            comments.append(line)
    yield comments, ""


def _key(line: str) -> str:
    """What makes two lines the same."""
    return " ".join(line.split())


def _is_new(line: str, have: set[str]) -> bool:
    """Whether the line says something that is not there yet; from now on it is."""
    key = _key(line)
    if not key.strip("# ") or key in have:
        return False
    have.add(key)
    return True
