"""Import results of fstests that others produced: which of them are one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kdevops.results.expunges.layout import of_baseline
from kdevops.results.model import TestId
from kdevops.results.store import Store
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.fstests.choice import SUITE
from kdevops.suites.fstests.expunges import Expunges
from kdevops.suites.fstests.profiles import file_system_of
from kdevops.suites.kind import Imported
from kdevops.suites.shared.grouping import runs_of
from kdevops.suites.shared.imports import Section, Target, store_runs

_TELLING = (".out.bad", ".dmesg", ".full")


def import_results(
    directory: Path,
    store: Store,
    place: Callable[[int], Path],
    *,
    lab: str,
    kernel: str,
    baseline: Path,
    expunges: Sequence[Path] = (),
) -> list[Imported]:
    """Store the results in `directory` as finished runs: one per kernel, and one per day that only check.log covers.

    `expunges` are directories of expunge lists, in addition to those of the baseline. Where several directories have the
    same profile, each of these trees is a run.

    `place` returns the directory of a run. `kernel` is the release if the results do not contain it, else "";
    `baseline` is what the runs are compared with. Raises UserError for a directory without results, or with
    results that contradict those of a subdirectory; InfrastructureError if the output cannot be stored.
    """
    directories = (*expunges, *of_baseline(baseline, SUITE))
    trees = Expunges(directories)
    known = (lambda section: _known(section, trees)) if directories else None
    target = Target(SUITE, store, place, lab, baseline, directory, _TELLING, known)
    return store_runs(runs_of(find_sections(directory, kernel)), target)


def _known(section: Section, expunges: Expunges) -> dict[str, str]:
    """The tests of a section that expunge lists name, each with the reason, as they would be for a run of a lab."""
    listed = expunges.known(section.kernel, _file_system(section), section.profile)
    plain = {TestId("fstests", section.profile, name).plain.name for name in section.outcomes}
    return {name: each.reason for name, each in listed.items() if name in plain}


def _file_system(section: Section) -> str:
    """The file system as the results name it, else as the profile does."""
    said = section.facts.get("FSTYP", "").split()
    return said[0] if said and said[0].isalnum() else file_system_of(section.profile)
