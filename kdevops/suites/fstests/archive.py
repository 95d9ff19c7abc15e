"""Find and read results of fstests that others have made: what `check` leaves below RESULT_BASE, or a tree of such.

A section's directory holds `check.time`, `check.log` or `result.xml`, and `generic/001.out.bad` and its like below.
Upstream kdevops keeps them as `<uname -r>/<section>/`, as does RESULT_BASE=$PWD/results/$HOST/$(uname -r).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.model import Outcome, Status
from kdevops.results.text import clean
from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.suites.fstests.record import Record, read_record
from kdevops.suites.fstests.xunit import TEST_NAME

_RECORD = ("result.xml", "check.time", "check.log")
_MAX_DEPTH = 6
_MAX_DIRECTORIES = 20_000
_MAX_NOTRUN = 4096
_RELEASE = re.compile(r"[1-9]\d?\.\d{1,3}(?:[.+-][A-Za-z0-9.+_~-]*)?")
_FILE = re.compile(r"(?P<number>\d{3,9}[A-Za-z0-9_-]{0,128})\.[A-Za-z0-9._+-]{1,100}")


@dataclass(frozen=True, slots=True)
class Section:
    """Results of one profile. `outcomes` and `files` are by the test's name; `notes` tell what does not fit together."""

    directory: Path
    profile: str
    kernel: str
    outcomes: Mapping[str, Outcome]
    files: Mapping[str, tuple[Path, ...]]
    notes: tuple[str, ...]


def find_sections(directory: Path, kernel: str = "") -> list[Section]:
    """Every section below `directory` or in it. `kernel` is the release that ran, when the results do not say it right.

    Raises UserError when there is none, when nothing tells its kernel, or when a file cannot be read.
    """
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory", hint="name the results directory of fstests")
    if kernel and not _RELEASE.fullmatch(kernel):
        raise UserError(f"--kernel {clean(kernel, 80)}: this is no kernel release", hint="give one as in 6.1.192")
    try:
        sections = [_read(path, kernel) for path in _walk(directory)]
    except OSError as error:
        raise UserError(f"{error.filename or directory} cannot be read: {error.strerror}") from error
    sections = [section for section in sections if section.outcomes]
    if not sections:
        raise UserError(
            f"there are no results of fstests in {directory}: no result.xml, check.time or check.log with a test in it",
            hint="name RESULT_BASE, a directory above it, or one of its sections",
        )
    return sections


def _walk(directory: Path) -> Iterator[Path]:
    """Directories with a record and results of their own: RESULT_BASE itself has a record too when it has sections."""
    depth = len(directory.parts)
    for seen, (path, names, files) in enumerate(os.walk(directory)):
        if seen >= _MAX_DIRECTORIES:
            raise UserError(f"{directory} has more than {_MAX_DIRECTORIES} directories", hint="name one further down")
        here = Path(path)
        names[:] = sorted(names) if len(here.parts) - depth < _MAX_DEPTH else []
        if any(record in files for record in _RECORD):
            sections = any((here / name / record).is_file() for name in names for record in _RECORD)
            groups = any(_FILE.fullmatch(file.name) for name in names for file in (here / name).iterdir())
            if "result.xml" in files or groups or not sections:
                yield here


def _read(directory: Path, kernel: str) -> Section:
    record = read_record(directory)
    files = _files(directory)
    outcomes, notes = _outcomes(record, files)
    profile = _profile(directory, record)
    return Section(
        directory,
        profile,
        kernel or (_kernel(directory, record) if outcomes else ""),
        outcomes,
        files,
        tuple(f"{profile}: {n}" for n in notes),
    )


def _profile(directory: Path, record: Record) -> str:
    said = record.report.properties.get("SECTION", "") if record.report else ""
    name = said or directory.resolve().name
    plain = name == "-no-sections-" or (not said and (name == "results" or bool(_RELEASE.fullmatch(name))))
    return "default" if plain else re.sub(r"[^A-Za-z0-9_.-]", "-", name).lstrip(".-") or "default"


def _kernel(directory: Path, record: Record) -> str:
    properties = record.report.properties if record.report else {}
    platform = properties.get("PLATFORM", "").split()  # Linux/x86_64 host 6.1.0 #1 SMP …
    said = [properties.get("KERNEL", ""), *platform[2:3], *(run.kernel for run in reversed(record.runs))]
    for release in (*said, *reversed(directory.resolve().parts)):
        if _RELEASE.fullmatch(release):
            return release
    raise UserError(f"nothing says which kernel ran in {directory}", hint="say it: --kernel 6.1.192")


def _files(directory: Path) -> dict[str, tuple[Path, ...]]:
    found: dict[str, list[Path]] = {}
    for group in sorted(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()):
        for file in sorted(group.iterdir()):
            match = _FILE.fullmatch(file.name)
            if match and file.is_file() and not file.is_symlink() and TEST_NAME.fullmatch(f"{group.name}/000"):
                found.setdefault(f"{group.name}/{match['number']}", []).append(file)
    return {name: tuple(paths) for name, paths in found.items()}


def _outcomes(record: Record, files: Mapping[str, tuple[Path, ...]]) -> tuple[dict[str, Outcome], list[str]]:
    """What became of each test: by the report, else by the log, else by its files, else by its seconds."""
    outcomes: dict[str, Outcome] = {}
    reported: dict[str, list[Status]] = {}
    notes: list[str] = []
    if record.report:
        for case in record.report.cases:
            same = reported.setdefault(case.name, [])
            same.append(case.status)
            name = f"{case.name}#{len(same)}" if len(same) > 1 else case.name
            outcomes[name] = Outcome(case.status, float(case.seconds), case.reason)
        notes += [f"result.xml {record.report.trouble}"] if record.report.trouble else []
        if not record.report.finished and not record.report.trouble:
            notes.append("check did not come to its end; which test was running then is not known")
    for number, run in enumerate(record.runs):
        for name in filter(TEST_NAME.fullmatch, sorted(run.ran)):
            status = run.status(name)
            if name not in reported:
                outcomes[name] = _by_files(status, files.get(name, ()), record.times.get(name, 0))
            elif number == len(record.runs) - 1 and status is not Status.MISSING and status not in reported[name]:
                notes.append(f"{name}: result.xml says {reported[name][-1]}, and check.log says {status}")
    for name, paths in files.items():
        bad = _has(paths, ".out.bad")
        if name not in outcomes and (bad or _has(paths, ".notrun")):
            outcomes[name] = _by_files(Status.FAIL if bad else Status.SKIP, paths, 0)
        elif bad and name in outcomes and outcomes[name].status is Status.PASS and len(reported.get(name, ())) < 2:
            notes.append(f"{name}: it is recorded as passed, and there is its .out.bad")
    for name in filter(TEST_NAME.fullmatch, record.times):
        outcomes.setdefault(name, Outcome(Status.PASS, float(record.times[name])))
    return dict(sorted(outcomes.items())), notes


def _by_files(status: Status, files: tuple[Path, ...], seconds: int) -> Outcome:
    if status is Status.PASS:
        return Outcome(status, float(seconds))
    if status is Status.MISSING:
        return Outcome(status, reason="check was interrupted while it ran")
    if status is Status.SKIP:
        notrun = next((path for path in files if path.name.endswith(".notrun")), None)
        return Outcome(status, reason=_first_line(notrun) if notrun else "")
    if _has(files, ".out.bad"):
        return Outcome(status, reason="output mismatch")
    return Outcome(status, reason="something found in dmesg" if _has(files, ".dmesg") else "")


def _has(files: tuple[Path, ...], ending: str) -> bool:
    return any(path.name.endswith(ending) for path in files)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        lines = file.read(_MAX_NOTRUN).decode(errors="replace").splitlines()
    return clean(lines[0], MAX_REASON) if lines else ""
