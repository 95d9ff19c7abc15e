"""Import results of fstests that others produced: which of them are one run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.model import TestId
from kdevops.results.store import Store
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.fstests.expunges import load
from kdevops.suites.fstests.profiles import load_profiles
from kdevops.suites.kind import Imported
from kdevops.suites.shared.imports import Section, Target, store_runs

_TELLING = (".out.bad", ".dmesg", ".full")
_UNKNOWN = "9999"
"""Sorts after all known times."""


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

    `expunges` are directories of expunge lists. Where several directories have the same profile, each of these trees is a run.

    `place` returns the directory of a run. `kernel` is the release if the results do not contain it, else "";
    `baseline` is what the runs are compared with. Raises UserError for a directory without results, or with
    results that contradict those of a subdirectory; InfrastructureError if the output cannot be stored.
    """
    known = (lambda section: _known(section, expunges)) if expunges else None
    target = Target("fstests", store, place, lab, baseline, directory, _TELLING, known)
    return store_runs(_runs(find_sections(directory, kernel)), target)


def _known(section: Section, expunges: Sequence[Path]) -> dict[str, str]:
    """The tests of a section that expunge lists name, each with the reason, as they would be for a run of a lab."""
    listed = load(expunges, section.kernel, _file_system(section), section.profile)
    plain = {TestId("fstests", section.profile, name).plain.name for name in section.outcomes}
    return {name: each.reason for name, each in listed.items() if name in plain}


def _file_system(section: Section) -> str:
    """The file system as the results name it, else that of our profile of this name, else what the name begins with."""
    said = section.facts.get("FSTYP", "").split()
    ours = load_profiles().get(section.profile)
    return said[0] if said and said[0].isalnum() else ours.fs if ours else section.profile.partition("_")[0]


def _runs(found: Iterable[Section]) -> list[list[Section]]:
    """The sections of each run: of one kernel, each profile once. Several sections of one profile are several runs."""
    runs: dict[tuple[str, ...], list[dict[str, Section]]] = {}
    sections = sorted(found, key=lambda each: each.when.isoformat() if each.when else _UNKNOWN)
    depths = {kernel: _depth(each for each in sections if each.kernel == kernel) for kernel in _kernels(sections)}
    for section in sections:
        same = runs.setdefault((section.kernel, *section.directory.parts[: depths[section.kernel]]), [{}])
        if section.profile in same[-1]:
            same.append({})
        same[-1][section.profile] = section
    ordered = [part for parts in runs.values() for part in parts]
    return [[part[profile] for profile in sorted(part)] for part in ordered]


def _kernels(sections: Iterable[Section]) -> frozenset[str]:
    return frozenset(section.kernel for section in sections)


def _depth(sections: Iterable[Section]) -> int:
    """How many parts of their paths tell apart directories with the same profile, such as those of several machines.

    Zero if all profiles differ. Raises UserError if one of the directories contains another one.
    """
    places: dict[str, dict[Path, Section]] = {}
    for section in sections:
        places.setdefault(section.profile, {})[section.directory] = section
    depths = [0]
    for profile, paths in places.items():
        if len(paths) == 1:
            continue
        above = next(((path, other) for path in paths for other in paths if path in other.parents), None)
        if above:
            raise UserError(
                f"{above[0]} and {above[1]} are both results of {profile} on {paths[above[0]].kernel}",
                hint="import them separately",
            )
        depths.append(len(Path(os.path.commonpath(paths)).parts) + 1)
    return min(depth for depth in depths if depth or len(depths) == 1)
