"""A suite of which kdevops imports results, and that it does not run."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import UserError
from kdevops.lab.fields import Model
from kdevops.lab.model import Lab
from kdevops.lab.suites import only_imported
from kdevops.results.store import Store
from kdevops.suites.base import Suite
from kdevops.suites.kind import Imported, SuiteKind

if TYPE_CHECKING:
    from kdevops.suites.shared.imports import Section


class Nothing(Model):
    """A lab has no section for such a suite."""


class ResultsReader(SuiteKind[Nothing]):
    """A suite of which results can be imported."""

    model = Nothing
    imports = True
    telling: Sequence[str] = ()
    """Endings of the files that show best why a test failed, the best first."""

    def suites(self, section: Nothing, lab: Lab) -> Sequence[Suite]:
        """None can be run. Raises UserError."""
        raise UserError(f"suites.{self.name}: {only_imported(self.name)}")

    @abc.abstractmethod
    def find(self, directory: Path, kernel: str) -> list[Section]:
        """The results in a directory. Raises UserError if there are none, or none that name a kernel."""

    def known(self, section: Section, directories: Sequence[Path]) -> Mapping[str, str]:
        """The tests of these results that the expunge lists in `directories` name, each with the reason."""
        return {}

    def import_results(
        self,
        directory: Path,
        store: Store,
        place: Callable[[int], Path],
        *,
        lab: str,
        kernel: str,
        baseline: Path,
        expunges: Sequence[Path] = (),
    ) -> Sequence[Imported]:
        """Import what `find` finds."""
        from kdevops.results.expunges.layout import of_baseline
        from kdevops.suites.shared.grouping import check_release, runs_of
        from kdevops.suites.shared.imports import Target, store_runs

        check_release(kernel)
        directories = (*expunges, *of_baseline(baseline, self.name))
        known = (lambda section: self.known(section, directories)) if directories else None
        target = Target(self.name, store, place, lab, baseline, directory, self.telling, known)
        return store_runs(runs_of(self.find(directory, kernel)), target)
