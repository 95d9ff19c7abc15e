"""One file of counts: the results of one run in one suite and profile, or the sum of several.

    run 3f9c0a1b2c4d5e6f  tests=8a7b6c5d4e3f2a1b  # 2026-11-21 22:42 UTC, 6.1.192, lab demo
    generic/475  crash=1
    generic/475>crash:WARNING%20in%20foo  seen=1

A `run` line names a run by a hash of its results, and the list of the tests that are counted. A list has a file of its own, named
by a hash of what it says, which all runs of the same tests share. A test of the list without a line of its own passed once
per run, or was skipped if the list says so. A line has all results that the file's runs had of a test. So a file is short, it
depends on nothing but its runs, and two people who accept different runs write different files: git merges them to the sum.

`run MARK` without a list is a run that only must not be counted again, `tests HASH=3` counts a list three times without a run:
both are in files that were made of older ones. `instead MARK` takes back what the run MARK had of the tests of this file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.table_text import format_table, parse_tests
from kdevops.text import clean

HASH = r"[0-9a-f]{16}"
_RUN = re.compile(rf"run\s+(?P<mark>{HASH})(?:\s+tests=(?P<tests>{HASH}))?(?:\s+#\s*(?P<said>.*))?", re.ASCII)
_INSTEAD = re.compile(rf"instead\s+(?P<mark>{HASH})", re.ASCII)
_TESTS = re.compile(rf"tests\s+(?P<tests>{HASH})=(?P<times>[1-9][0-9]{{0,8}})", re.ASCII)
UNTOLD = "counts of runs that cannot be told apart"
"""What is said of the runs in a table of an older version."""
_ON_CONFLICT = "keep one of the two sides as it was (`git checkout --ours` or `--theirs`): each is whole"


class Unit(NamedTuple):
    """What is counted of a run: its mark, and the name of the list of tests, "" for none."""

    mark: str
    tests: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The contents of one file. `units`: what is said of each; `unnamed`: lists counted without a run, and how often each.

    `instead`: the marks of runs whose results of these tests no longer count. `entries` are those with a line.
    """

    units: Mapping[Unit, str]
    entries: Mapping[str, Entry] = field(default_factory=dict)
    unnamed: Mapping[str, int] = field(default_factory=dict)
    instead: frozenset[str] = frozenset()
    header: tuple[str, ...] = ()

    @property
    def marks(self) -> frozenset[str]:
        """The runs that it counts."""
        return frozenset(unit.mark for unit in self.units)

    @property
    def lists(self) -> Counter[str]:
        """The lists of tests that are counted, and how often each."""
        return Counter(unit.tests for unit in self.units if unit.tests) + Counter(self.unnamed)


def parse(text: str, *, path: Path) -> Counted:
    """What a file says. Raises UserError naming `path` and the line of the mistake."""
    units: dict[Unit, str] = {}
    unnamed: dict[str, int] = {}
    instead: set[str] = set()
    header: list[str] = []
    tests: list[tuple[str, str]] = []
    for _, where, line in committed.lines(text, path, on_conflict=_ON_CONFLICT):
        if match := _RUN.fullmatch(line):
            unit = Unit(match["mark"], match["tests"] or "")
            if unit in units:
                raise UserError(f"{where}: the run {unit.mark} is here twice", hint="keep one of the two lines")
            units[unit] = clean(match["said"] or "")
        elif match := _TESTS.fullmatch(line):
            if match["tests"] in unnamed:
                raise UserError(f"{where}: the tests {match['tests']} are here twice", hint="keep one of the two lines")
            unnamed[match["tests"]] = int(match["times"])
        elif match := _INSTEAD.fullmatch(line):
            instead.add(match["mark"])
        elif line.startswith("#") and not tests:
            header.append(line)
        elif line:
            tests.append((where, line))
    if not units:
        raise UserError(f"{path}: no line says which run this counts", hint="restore the file with git checkout")
    return Counted(units, parse_tests(tests), unnamed, frozenset(instead), tuple(header))


def format_counted(counted: Counted) -> str:
    """The text of a file; the inverse of `parse`."""
    runs = sorted(
        f"run {unit.mark}"
        + (f"  tests={unit.tests}" if unit.tests else "")
        + (f"  # {clean(said)}" if clean(said) else "")
        for unit, said in counted.units.items()
    )
    unnamed = sorted(f"tests {name}={times}" for name, times in counted.unnamed.items())
    instead = sorted(f"instead {mark}" for mark in counted.instead)
    head = "".join(f"{line}\n" for line in (*counted.header, *runs, *unnamed, *instead))
    return head + format_table(Table("", counted.entries))
