"""The suite `ltp`: its results can be imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.suites.shared.reader import ResultsReader

if TYPE_CHECKING:
    from kdevops.suites.shared.imports import Section


class LtpKind(ResultsReader):
    """LTP, run by kirk. A suite may contain a test twice, and several suites may be in one report."""

    name = "ltp"
    repeats = True

    def find(self, directory: Path, kernel: str) -> list[Section]:
        """A section for each report; `directory` may be one."""
        from kdevops.suites.ltp.archive import find_sections

        return find_sections(directory, kernel)


KIND = LtpKind()
