"""The tests of an fstests tree and their groups, read from its sources without a build.

A test is a file `tests/<directory>/NNN`, such as `tests/generic/001`; its line that begins with `_begin_fstest` lists
its groups. Trees older than June 2021 list them in a file `group` in each directory instead: a line per test, its
number first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError

ALL = "all"
"""The implicit group of all tests."""
NEUTRAL = ("generic", "shared")
"""Directories with tests for every file system."""
ASKED_FOR = ("perf", "selftest")
"""Directories for every file system too, but only run if requested by name."""
MAX_BYTES = 64 << 10
"""Bytes of a test searched for `_begin_fstest`; it comes after the licence and the description."""
# common/test_names: three digits, then letters, digits and dashes, as in 191-input-validation.
_NAME = re.compile(r"[0-9]{3}[A-Za-z0-9-]*")
_DIRECTORY = re.compile(r"[a-z0-9_]+")
_BEGIN = re.compile(rb"^_begin_fstest[ \t]+([^#\n]*)", re.MULTILINE)
_GROUP = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every test of a tree, "generic/001", with its groups; sorted as in fstests' `check`."""

    tests: Mapping[str, tuple[str, ...]]

    def of(self, fs: str) -> tuple[str, ...]:
        """The tests that groups select from on this file system: generic, shared and its own ones."""
        return self._in({*NEUTRAL, fs})

    def asked_for(self, fs: str) -> tuple[str, ...]:
        """The tests that can be requested by name on this file system."""
        return self._in({*NEUTRAL, *ASKED_FOR, fs})

    def belongs(self, test: str, group: str) -> bool:
        """Whether a test is in a group: "quick", or "xfs/quick" for one directory."""
        directory, _, name = group.rpartition("/")
        return (not directory or directory == directory_of(test)) and (name == ALL or name in self.tests[test])

    @property
    def groups(self) -> frozenset[str]:
        """Every group, by its name alone and with each directory that has tests in it."""
        names = {ALL}
        for test, groups in self.tests.items():
            for group in (ALL, *groups):
                names |= {group, f"{directory_of(test)}/{group}"}
        return frozenset(names)

    def _in(self, directories: Collection[str]) -> tuple[str, ...]:
        return tuple(test for test in self.tests if directory_of(test) in directories)


def read(tree: Path) -> Catalogue:
    """Read the tests of an fstests tree. Raises UserError if it is not one."""
    tests: dict[str, tuple[str, ...]] = {}
    try:
        with os.scandir(tree / "tests") as entries:
            directories = [Path(entry) for entry in entries if _DIRECTORY.fullmatch(entry.name) and entry.is_dir()]
        for directory in directories:
            tests.update(_read_directory(directory))
    except OSError as error:
        raise UserError(
            f"{tree} cannot be read as an fstests tree: {error.filename}: {error.strerror}",
            hint="check suites.fstests.source",
        ) from error
    if not tests:
        raise UserError(f"{tree} is not an fstests tree: it has no tests", hint="check suites.fstests.source")
    return Catalogue(dict(sorted(tests.items())))


def directory_of(test: str) -> str:
    """The directory of a test: "generic" of "generic/001"."""
    return test.partition("/")[0]


def _read_directory(directory: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    listed = _read_group_file(directory / "group")
    with os.scandir(directory) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file():
                begin = _BEGIN.search(_head(directory / entry.name))
                groups = _groups(begin[1].decode(errors="replace")) if begin else listed.get(entry.name)
                if groups is not None:
                    yield f"{directory.name}/{entry.name}", groups


def _read_group_file(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, groups = line.partition("#")[0].strip().partition(" ")
        if _NAME.fullmatch(name):
            found[name] = _groups(groups)
    return found


def _groups(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split() if _GROUP.fullmatch(word))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
