"""Where a baseline keeps what: the only module that knows its file names.

6.1/reports.txt                                      known kernel reports of a series (see `nearest` for names of kernels)
6.1/x86_64+kasan/fstests@2026/xfs_crc/               what is known of a suite and profile under these conditions:
    3f9c0a1b2c4d5e6f.txt                             the counts of a run
    sum-77aa….txt                                    those of several
    tests-8a7b….txt, seconds-8a7b….txt               the tests that runs counted, and how long these take
    notes.txt                                        what people say of tests
6.1/fstests/xfs_crc.txt, 6.1/accepted.txt            the same in the form of older versions
expunges/fstests/6.1.y/xfs/…                         known failures that other people have listed
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from kdevops.results.baselines.conditions import Conditions, component, folder_of, suite_of
from kdevops.results.baselines.counted import HASH, Counted
from kdevops.results.baselines.test_list import name_of

Texts = dict[PurePosixPath, str]
"""Files of a baseline, by path below its directory."""

PATTERN = "*/*/*/*/*.txt"
OLD_PATTERN = "*/*/*.txt"
EXPUNGES = "expunges"
"""The directory of lists of known failures."""
ATTRIBUTES = ".gitattributes"
ATTRIBUTES_TEXT = """\
# Lists of tests are named by what they say, and seconds only help to plan: neither is worth a look in a diff.
tests-*.txt -diff linguist-generated
seconds-*.txt -diff linguist-generated merge=union
"""
_SECONDS = "seconds-"
_COUNTS = re.compile(rf"(?:sum-)?{HASH}(?:-{HASH})?\.txt")


@dataclass(frozen=True, slots=True)
class Folder:
    """The directory of a suite and profile under some conditions, relative to the baseline's."""

    kernel: str
    conditions: str
    suite: str
    suite_series: str
    profile: str

    @classmethod
    def of_path(cls, path: PurePosixPath) -> Folder:
        """The one that a file is in."""
        kernel, conditions, suite, profile, _ = path.parts
        return cls(kernel, conditions, *suite_of(suite), unquote(profile))

    @classmethod
    def of(cls, kernel: str, conditions: Conditions, suite: str, profile: str) -> Folder:
        """The one for results of a kernel's series."""
        return cls(kernel, conditions.folder, suite, conditions.suites.get(suite, ""), profile)

    @classmethod
    def of_old(cls, kernel: str, suite: str, profile: str) -> Folder:
        """That of an old file, of unknown conditions: it has no path."""
        return cls(kernel, "", suite, "", profile)

    def __str__(self) -> str:
        """In words."""
        suite = self.suite + (f"@{self.suite_series}" if self.suite_series else "")
        return f"{self.kernel} {unquote(self.conditions) or 'any machine'} {suite}/{self.profile}"

    @property
    def key(self) -> tuple[str, str]:
        """Suite and profile."""
        return self.suite, self.profile

    @property
    def path(self) -> PurePosixPath:
        """The directory."""
        suite = folder_of(self.suite, self.suite_series)
        return PurePosixPath(self.kernel) / self.conditions / suite / component(self.profile)

    def file(self, counted: Counted) -> PurePosixPath:
        """The file of some counts, named by the runs in it."""
        units = sorted(counted.units)
        if len(units) == 1:
            return self.path / ("-".join(filter(None, units[0])) + ".txt")
        return self.path / f"sum-{name_of(' '.join(map('='.join, units)))}.txt"

    def list_file(self, name: str) -> PurePosixPath:
        """The file of a list of tests."""
        return self.path / f"tests-{name}.txt"

    def seconds_file(self, name: str) -> PurePosixPath:
        """The file of how long the tests of a list take."""
        return self.path / f"{_SECONDS}{name}.txt"

    def files_of_list(self, name: str) -> tuple[PurePosixPath, PurePosixPath]:
        """All files of a list of tests."""
        return self.list_file(name), self.seconds_file(name)


def counts_among(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Those that are counts."""
    return [path for path in paths if _COUNTS.fullmatch(path.name)]


def seconds_among(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Those that say how long tests take."""
    return [path for path in paths if path.name.startswith(_SECONDS)]
