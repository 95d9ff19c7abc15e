"""Find and read imported results of fstests: what `check` leaves below RESULT_BASE, or a tree of such directories.

A section's directory has `check.time`, `check.log` or `result.xml`, and files like `generic/001.out.bad` below.
Upstream kdevops stores them as `<uname -r>/<section>/`, as does RESULT_BASE=$PWD/results/$HOST/$(uname -r).
xfstests-bld (kvm-xfstests, gce-xfstests) stores them as `<file system>/results-<configuration>/`, with `results.xml`,
and combines many of these in one `results.xml` above them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kdevops.errors import UserError
from kdevops.suites.fstests.facts import in_words, machine
from kdevops.suites.fstests.record import REPORTS, read_record
from kdevops.suites.fstests.section import Naming, Recorded, recorded_runs
from kdevops.suites.fstests.xunit_cases import SUITE, TEST_NAME, Suite
from kdevops.suites.shared.grouping import as_profile, check_release, release, release_above
from kdevops.suites.shared.imports import Section

_RECORD = (*REPORTS, "check.time", "check.log")
_MAX_DEPTH = 6
_MAX_DIRECTORIES = 20_000
_FILE_SYSTEMS = re.compile(
    r"(?:[a-z0-9]+-)?(?:9p|afs|bcachefs|btrfs|ceph|cifs|exfat|ext[234]|f2fs|fuse|gfs2|hfs|hfsplus|jfs|msdos|nfs|nilfs2|ntfs3?"
    r"|ocfs2|overlay|reiserfs|tmpfs|ubifs|udf|vfat|virtiofs|xfs)"
)
_CONFIGURATION = re.compile(r"results-(?P<name>.+)")
_NO_NAME = frozenset({"", "-no-sections-", "global"})
_MAX_NAMED = 5
_FILE = re.compile(r"(?P<number>\d{3,9}[A-Za-z0-9_-]{0,128})\.[A-Za-z0-9._+-]{1,100}")


def find_sections(directory: Path, kernel: str = "") -> list[Section]:
    """Every section in or below `directory`; those of one directory from the oldest to the newest run.

    `kernel` is the release that ran, if the results do not show it correctly. Raises UserError if there is no section,
    if the kernel of one is unknown, or if a file cannot be read.
    """
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory", hint="name the results directory of fstests")
    check_release(kernel)
    try:
        read = {path: _read(path, directory, kernel) for path in _walk(directory)}
    except OSError as error:
        raise UserError(f"{error.filename or directory} cannot be read: {error.strerror}") from error
    sections = _without_sums([section for found in read.values() for section in found])
    if not sections:
        raise UserError(
            f"there are no results of fstests in {directory}: no result.xml, results.xml or check.log with a test",
            hint="name RESULT_BASE, a directory above it, or one of its sections; check.time alone is not enough",
        )
    if idle := [str(path.relative_to(directory)) for path, found in read.items() if not found]:
        note = f"unknown what ran in {', '.join(idle[:_MAX_NAMED])}" + (" and others" if idle[_MAX_NAMED:] else "")
        sections[0] = replace(sections[0], notes=(*sections[0].notes, note))
    return sections


def _walk(directory: Path) -> Iterator[Path]:
    """Directories with a record and results of their own: RESULT_BASE with sections has a record, but no results."""
    depth = len(directory.parts)
    for seen, (path, names, files) in enumerate(os.walk(directory)):
        if seen >= _MAX_DIRECTORIES:
            raise UserError(f"{directory} has more than {_MAX_DIRECTORIES} directories", hint="name a subdirectory")
        here = Path(path)
        names[:] = sorted(names) if len(here.parts) - depth < _MAX_DEPTH else []
        if any(record in files for record in _RECORD):
            sections = any((here / name / record).is_file() for name in names for record in _RECORD)
            groups = any(_FILE.fullmatch(file.name) for name in names for file in (here / name).iterdir())
            if any(report in files for report in REPORTS) or groups or not sections:
                yield here


def _read(directory: Path, root: Path, kernel: str) -> list[Section]:
    record, files = read_record(directory), _files(directory)
    own = _telling([suite for report in record.reports.values() for suite in report.suites])
    naming = Naming(release, lambda properties: _profile(directory, root, properties, own))
    runs = recorded_runs(record, files, naming)
    above = release_above(directory)
    sections, unknown = [], []
    for run in runs:
        ran = kernel or run.kernel or above
        if ran:
            notes = tuple(f"{run.profile}: {note}" for note in run.notes)
            sections.append(
                Section(
                    directory, run.profile, ran, run.outcomes, run.files, notes, run.when,
                    run.facts, machine(run.facts), in_words(run.facts), run.texts,
                )
            )  # fmt: skip
        else:
            unknown.append(run)
    if unknown and not sections:
        raise UserError(f"nothing says which kernel ran in {directory}", hint="specify it: --kernel 6.1.192")
    if unknown:
        note = f"{sections[-1].profile}: not imported, because check.log does not say which kernel ran {_when(unknown)}"
        sections[-1] = replace(sections[-1], notes=(*sections[-1].notes, note))
    return sections


def _telling(suites: Sequence[Suite]) -> str:
    """The property that distinguishes suites with common tests; "" if there are none, or no such property."""
    names = [name for suite in suites for name in {case.name for case in suite.cases}]
    if len(names) == len(set(names)):
        return ""
    return next((key for key in ("FSTESTCFG", SUITE) if len({suite.properties.get(key) for suite in suites}) > 1), "")


def _when(runs: list[Recorded]) -> str:
    return ", ".join(f"on {run.when:%Y-%m-%d}" if run.when else "on an unknown date" for run in runs)


def _profile(directory: Path, root: Path, properties: Mapping[str, str], own: str) -> str:
    """From the report, else from the directory. `own` is a property that distinguishes the suites of one file."""
    said = next(
        (said for name in ("SECTION", "TESTCFG", own) if (said := properties.get(name, "")) not in _NO_NAME), ""
    )
    path = directory.resolve()
    name = said or path.name
    if not said and (match := _CONFIGURATION.fullmatch(name)):
        above = path.parent
        known = bool(_FILE_SYSTEMS.fullmatch(above.name)) or root.resolve() in above.parents
        name = f"{above.name}_{match['name']}" if known else match["name"]
    elif not said and (name == "results" or release(name)):
        return "default"
    return as_profile(name)


def _without_sums(sections: list[Section]) -> list[Section]:
    """Drop sections that only repeat the results of sections below them."""
    return [each for each in sections if not any(_sums_up(each, other) for other in sections)]


def _sums_up(section: Section, other: Section) -> bool:
    return (
        section.directory in other.directory.parents
        and (section.kernel, section.profile) == (other.kernel, other.profile)
        and {name: end.status for name, end in section.outcomes.items()}
        == {name: end.status for name, end in other.outcomes.items()}
    )


def _files(directory: Path) -> dict[str, tuple[Path, ...]]:
    found: dict[str, list[Path]] = {}
    for group in sorted(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()):
        for file in sorted(group.iterdir()):
            match = _FILE.fullmatch(file.name)
            if match and file.is_file() and not file.is_symlink() and TEST_NAME.fullmatch(f"{group.name}/000"):
                found.setdefault(f"{group.name}/{match['number']}", []).append(file)
    return {name: tuple(paths) for name, paths in found.items()}
