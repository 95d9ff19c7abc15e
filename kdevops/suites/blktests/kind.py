"""The suite `blktests`: its results can be imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kdevops.suites.shared.reader import ResultsReader

if TYPE_CHECKING:
    from kdevops.suites.shared.imports import Section


class BlktestsKind(ResultsReader):
    """blktests. Nobody can say how a test failed whose output differs: results do not have the expected output."""

    name = "blktests"
    explains_failures = True
    imports_expunges = True
    telling = (".dmesg", ".out.bad", ".kmemleak", ".full")

    def find(self, directory: Path, kernel: str) -> list[Section]:
        """A section for each device."""
        from kdevops.suites.blktests.archive import find_sections

        return find_sections(directory, kernel)

    def known(self, section: Section, directories: Sequence[Path]) -> Mapping[str, str]:
        """The tests that are known to fail with its kernel, on any device."""
        from kdevops.suites.blktests.expunges import known

        listed = known(directories, section.kernel)
        return {name: listed[name].reason for name in section.outcomes if name in listed}

    def expunge_list(self, profile: str) -> PurePosixPath:
        """One for all devices."""
        from kdevops.results.expunges.layout import FAILURES

        return PurePosixPath(FAILURES)


KIND = BlktestsKind()
