"""The suite `blktests`: its results can be imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.suites.shared.reader import ResultsReader

if TYPE_CHECKING:
    from kdevops.suites.shared.imports import Section


class BlktestsKind(ResultsReader):
    """blktests. Nobody can say how a test failed whose output differs: results do not have the expected output."""

    name = "blktests"
    explains_failures = True
    telling = (".dmesg", ".out.bad", ".kmemleak", ".full")

    def find(self, directory: Path, kernel: str) -> list[Section]:
        """A section for each device."""
        from kdevops.suites.blktests.archive import find_sections

        return find_sections(directory, kernel)


KIND = BlktestsKind()
