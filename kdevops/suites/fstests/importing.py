"""Take results of fstests that others have made into the store; what is read stays as it is."""

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
"""Bytes kept of each output file of a test that failed; the others' stay where they are."""
MAX_FILES = 16
"""Files kept of one test."""
_TELLING = (".out.bad", ".dmesg", ".full")
_UNKNOWN = "9999"
"""A time after all that are known."""


def import_results(
    directory: Path, store: Store, place: Callable[[int], Path], *, lab: str, kernel: str, baseline: Path
) -> list[Imported]:
    """Store what is in `directory` as finished runs, one for each kernel, and for each day of which only check.log tells.

    `place` gives the directory of a run.
    `kernel` is its release where the results do not say it, "" otherwise; `baseline` is what the runs are compared
    with. Raises UserError for a directory that holds no results, or the same profile twice; InfrastructureError when
    the output cannot be kept.
    """
    return [
        _import(sections, directory, store, place, lab, baseline)
        for sections in _runs(find_sections(directory, kernel))
    ]


def _runs(found: Iterable[Section]) -> list[list[Section]]:
    """The sections of each run: of one kernel, and each profile once. What a directory has of one profile is of several."""
    runs: dict[str, list[dict[str, Section]]] = {}
    first: dict[tuple[str, str], Section] = {}
    for section in sorted(found, key=lambda each: each.when.isoformat() if each.when else _UNKNOWN):
        other = first.setdefault((section.kernel, section.profile), section)
        if other.directory != section.directory:
            raise UserError(
                f"{other.directory} and {section.directory} are both results of {section.profile} on {section.kernel}",
                hint="import them one by one",
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
                shutil.rmtree(place(run), ignore_errors=True)  # of an import that was killed before this moment
                kept.rename(place(run))
    except OSError as error:
        raise InfrastructureError(f"the output of tests cannot be kept below {runs}: {error.strerror}") from error
    counts = Counts.of(outcome.status for outcome in outcomes.values())
    return Imported(run, release, tuple(section.profile for section in sections), counts, notes)


def _keep(section: Section, name: str, outcome: Outcome, kept: Path) -> Outcome:
    """Copy what a failed test left, and name the file that tells most."""
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
