"""The list of the tests that runs counted: one name per line, sorted, with `skip` after those that were skipped.

    generic/001
    generic/016 skip

The file is named by a hash of its text, so it never changes, and all runs of the same tests share it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.table_text import escape
from kdevops.results.model import Counts, Status
from kdevops.text import clean

_SKIPPED = "skip"
_ENDS = {"": Status.PASS, _SKIPPED: Status.SKIP}
ONCE = {end: Counts.of([end]) for end in _ENDS.values()}
"""What a test has that ended once as the list says."""

TestList = Mapping[str, Status]
"""How each test ended if no line of counts says otherwise: pass or skip."""


def parse(text: str, *, path: Path) -> TestList:
    """The tests of a list. Raises UserError naming `path` and the line of a mistake."""
    found: dict[str, Status] = {}
    for _, where, line in committed.lines(text, path, on_conflict="restore the file with git"):
        name, _, word = line.partition(" ")
        if word not in _ENDS:
            raise UserError(f"{where}: not a test of a list: {clean(line, 80)}", hint="restore the file with git")
        if name:
            found[unquote(name)] = _ENDS[word]
    return found


def read(text: str, *, path: Path) -> TestList:
    """The tests of a list's file. Raises UserError if it is not what its name says: a merge or an editor changed it."""
    if path.stem.rpartition("-")[2] != name_of(text):
        raise UserError(
            f"{path} was changed: its name no longer fits what it says",
            hint="restore it with git: such a file is never edited or merged",
        )
    return parse(text, path=path)


def format_list(tests: TestList) -> str:
    """The text of a list; the inverse of `parse`."""
    lines = sorted(escape(name) + (f" {_SKIPPED}" if end is Status.SKIP else "") for name, end in tests.items())
    return "".join(f"{line}\n" for line in lines)


def name_of(text: str) -> str:
    """What a list with this text is called: 16 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()[:16]


def counts_of(times: Mapping[str, int], lists: Mapping[str, TestList]) -> dict[str, Counts]:
    """How often the tests of these lists ended how, if each list counts so many times and no test has a line."""
    found: dict[str, Counts] = {}
    for name, number in sorted(times.items()):
        ends = {end: Counts({end: number}) for end in _ENDS.values()}
        sums: dict[tuple[int, Status], Counts] = {}  # most tests have the same few counts: share them
        if not found:
            found = {test: ends[end] for test, end in lists[name].items()}
            continue
        for test, end in lists[name].items():
            before = found.get(test)
            if before is None:
                found[test] = ends[end]
            else:
                key = (id(before), end)
                if key not in sums:
                    sums[key] = before + ends[end]
                found[test] = sums[key]
    return found


def level_lists(passes: Mapping[str, int], skips: Mapping[str, int]) -> Counter[str]:
    """The texts of lists, and how often each counts, so that their sum is so many passes and skips of each test."""
    levels: Counter[str] = Counter()
    most = max([*passes.values(), *skips.values()], default=0)
    numbers = sorted({0, *passes.values(), *skips.values()})
    for low, high in pairwise(numbers):
        tests = {name: Status.PASS for name, number in passes.items() if number >= high}
        tests |= {name: Status.SKIP for name, number in skips.items() if number >= high and name not in passes}
        levels[format_list(tests)] += high - low
    assert sum(levels.values()) == most
    return levels
