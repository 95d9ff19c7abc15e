"""Import results of fstests that others produced into the store; the originals stay unchanged."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import kdevops
from kdevops.errors import InfrastructureError, UserError
from kdevops.results.model import Counts, Outcome, TestId
from kdevops.results.store import JSON, PlannedRow, Store
from kdevops.suites.fstests.archive import Section, find_sections
from kdevops.suites.fstests.check_output import check_name
from kdevops.suites.kind import Imported

MAX_FILE = 1 << 20
"""Bytes kept of each output file of a failed test; output of other tests is not copied."""
MAX_FILES = 16
"""Files kept per test."""
_TELLING = (".out.bad", ".dmesg", ".full")
_UNKNOWN = "9999"
"""Sorts after all known times."""


def import_results(
    directory: Path, store: Store, place: Callable[[int], Path], *, lab: str, kernel: str, baseline: Path
) -> list[Imported]:
    """Store the results in `directory` as finished runs: one per kernel, and one per day that only check.log covers.

    `place` returns the directory of a run. `kernel` is the release if the results do not contain it, else "";
    `baseline` is what the runs are compared with. Raises UserError for a directory without results, or with the same
    profile twice; InfrastructureError if the output cannot be stored.
    """
    return [
        _import(sections, directory, store, place, lab, baseline)
        for sections in _runs(find_sections(directory, kernel))
    ]


def _runs(found: Iterable[Section]) -> list[list[Section]]:
    """The sections of each run: of one kernel, each profile once. Several sections of one profile are several runs."""
    runs: dict[str, list[dict[str, Section]]] = {}
    first: dict[tuple[str, str], Section] = {}
    for section in sorted(found, key=lambda each: each.when.isoformat() if each.when else _UNKNOWN):
        other = first.setdefault((section.kernel, section.profile), section)
        if other.directory != section.directory:
            raise UserError(
                f"{other.directory} and {section.directory} are both results of {section.profile} on {section.kernel}",
                hint="import them separately",
            )
        same = runs.setdefault(section.kernel, [{}])
        if section.profile in same[-1]:
            same.append({})
        same[-1][section.profile] = section
    ordered = [part for parts in runs.values() for part in parts]
    return [[part[profile] for profile in sorted(part)] for part in ordered]


def _import(
    sections: list[Section], directory: Path, store: Store, place: Callable[[int], Path], lab: str, baseline: Path
) -> Imported:
    notes = tuple(note for section in sections for note in section.notes)
    release = sections[0].kernel
    record: dict[str, JSON] = {
        "kdevops": kdevops.__version__,
        "kernel": {"release": release},
        "baseline": str(baseline),
        "imported": {
            "directory": str(directory.absolute()),
            "sections": {section.profile: str(section.directory.absolute()) for section in sections},
            "ran": {section.profile: section.when.isoformat() for section in sections if section.when},
            "notes": notes,
        },
    }
    try:
        runs = place(0).parent
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=runs) as temporary:
            kept = Path(temporary) / "run"
            kept.mkdir()
            outcomes = {
                TestId("fstests", section.profile, name): _keep(section, name, outcome, kept)
                for section in sections
                for name, outcome in section.outcomes.items()
            }
            with store.together():
                run = store.create_run(lab, [PlannedRow(test, 0.0) for test in outcomes], record)
                for test, outcome in outcomes.items():
                    store.ended(run, test, outcome)
                for note in notes:
                    store.infrastructure(run, "", note)
                store.finish(run)
                shutil.rmtree(place(run), ignore_errors=True)  # from an import that was killed before this point
                kept.rename(place(run))
    except OSError as error:
        raise InfrastructureError(f"cannot store the output of tests below {runs}: {error.strerror}") from error
    counts = Counts.of(outcome.status for outcome in outcomes.values())
    return Imported(run, release, tuple(section.profile for section in sections), counts, notes)


def _keep(section: Section, name: str, outcome: Outcome, kept: Path) -> Outcome:
    """Copy the files of a failed test, and name the most useful one."""
    plain = check_name(TestId("fstests", section.profile, name))
    if not outcome.status.is_bad:
        return outcome
    where = Path("fstests") / section.profile / Path(plain).parent
    files = [path for path in section.files.get(plain, ()) if path.stat().st_size][:MAX_FILES]
    for file in files:
        _copy(file, kept / where / file.name)
    telling = [file.name for ending in _TELLING for file in files if file.name.endswith(ending)]
    return replace(outcome, output=str(where / telling[0])) if telling else outcome


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        content = file.read(MAX_FILE)
        size = source.stat().st_size
    if size > MAX_FILE:
        content += f"\n[kdevops: the first {MAX_FILE} bytes of {size}]\n".encode()
    target.write_bytes(content)
