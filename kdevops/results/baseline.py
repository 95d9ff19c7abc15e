"""The baseline: known test results of a kernel series, by suite and profile.

How a file looks is in `kdevops.results.baseline_text`, what it says of one test in `kdevops.results.entry`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from itertools import chain
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote, unquote

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.results import allowed_reports, reports
from kdevops.results.allowed_reports import AllowedReports, AllowList
from kdevops.results.baseline_text import format_table, parse
from kdevops.results.complaints import signatures
from kdevops.results.entry import Entry, Table, updated, with_list
from kdevops.results.files import Files
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.reports import KnownReports
from kdevops.text import clean

_SERIES = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The history for the kernel series `series`, by suite and profile.

    A suite and profile without a file for this series uses that of the nearest older series (see its table). `expunged` has
    the reasons of tests known to fail from expunge lists; they add to a test's own entry, and are never written to a file.
    `ignored`: directories with tables that are not named after a series. `reports`: known kernel reports, which apply to all
    tests; `allowed`: reports that `reports.yaml` allows for a time. `files`: what it was read from.
    """

    series: str
    tables: Mapping[tuple[str, str], Table] = field(default_factory=dict)
    expunged: Mapping[TestId, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    reports: KnownReports = field(default_factory=KnownReports)
    allowed: AllowList = field(default_factory=AllowList)
    files: Files = field(default=Files(Path()), compare=False, repr=False)

    def table(self, test: TestId) -> Table | None:
        """The table of a test's suite and profile, None when there is none."""
        return self.tables.get((test.suite, test.profile))

    def entry(self, test: TestId) -> Entry | None:
        """A test's entry, None if unknown. All repeats of a test share one entry."""
        test, table = test.plain, self.table(test)
        entry = table.entries.get(test.name) if table else None
        why = self.expunged.get(test)
        return entry if why is None else with_list(entry, why)

    def ever_ran(self, keys: Collection[tuple[str, str]]) -> frozenset[TestId]:
        """The tests of these suites and profiles that have run before: passed, failed, crashed or hung, not just skipped."""
        return frozenset(
            TestId(*key, name)
            for key in keys
            if key in self.tables
            for name, entry in self.tables[key].entries.items()
            if entry.counts[Status.PASS] or entry.counts.bad
        )

    def allowed_on(self, today: date | None) -> AllowedReports:
        """The kernel reports that are allowed for this series as of a day; none without a day."""
        return self.allowed.on(today, self.series) if today else AllowedReports()

    def with_expunges(self, expunged: Mapping[TestId, str]) -> Baseline:
        """This baseline plus tests that expunge lists mark as failing, each with the reason."""
        return replace(self, expunged={**self.expunged, **expunged})


class Mode(StrEnum):
    """How to update old counts: `merge` adds to them, `replace` discards the old counts of the tests that ran."""

    MERGE = "merge"
    REPLACE = "replace"


def series_of(release: str) -> str:
    """The series of a kernel release: "6.1.192+" and "6.1-rc3" are of "6.1". Raises UserError when it has none."""
    match = _SERIES.match(release)
    if not match:
        raise UserError(
            f"{clean(release, 80)!r} is not a kernel release", hint="it must begin with two numbers, as in 6.1.192"
        )
    return match[0]


def load(directory: Path | Files, series: str) -> Baseline:
    """Read the baseline of a series from a directory, or from files that were kept; empty if there are none.

    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    files = directory if isinstance(directory, Files) else Files(directory)
    found, ignored = series_in(files)
    tables: dict[tuple[str, str], Table] = {}
    nearest_first = [each for each in reversed(found) if _numbers(each) <= _numbers(series)]
    for older in nearest_first:
        for name in files.named(f"{older}/*/*.txt"):
            key = key_of(name)
            if key not in tables:
                tables[key] = parse(files.read(name), path=files.place(name), series=older)
    known = reports.load(files, nearest_first)
    return Baseline(series, tables, ignored=ignored, reports=known, allowed=allowed_reports.load(files), files=files)


def key_of(table: PurePath) -> tuple[str, str]:
    """The suite and profile of a table's file."""
    return unquote(table.parent.name), unquote(table.stem)


def kept(directory: Path, series: str, keys: Collection[tuple[str, str]]) -> Files:
    """What the baseline of a series has, as its files are now, of these suites and profiles.

    Raises UserError for a file that cannot be read.
    """
    files = Files(directory)
    found, _ = series_in(files)
    used = {each for each in found if _numbers(each) <= _numbers(series)}

    def wanted(name: PurePath) -> bool:
        if len(name.parts) == 3:
            return name.suffix == ".txt" and (
                name.parts[0] not in found or (key_of(name) in keys and name.parts[0] in used)
            )
        return name.name == "reports.yaml" if len(name.parts) == 1 else name.suffix == ".txt" and name.parts[0] in used

    return files.kept(wanted)


def series_in(files: Files) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The series that have files, oldest first, and other directories that contain tables.

    Raises UserError when it is not a directory.
    """
    names = {path.parts[0] for path in (*files.named("*/*"), *files.named("*/*/*.txt"))}
    found = sorted((name for name in names if _SERIES.fullmatch(name)), key=_numbers)
    others = {path.parts[0] for path in files.named("*/*/*.txt")} - set(found)
    return tuple(found), tuple(sorted(clean(name) for name in others if not name.startswith(".")))


def accept(
    baseline: Baseline,
    outcomes: Mapping[TestId, Outcome],
    *,
    mode: Mode = Mode.MERGE,
    gone: Collection[TestId] = (),
    strays: Iterable[Mapping[str, Any]] = (),
    again: Sequence[Mapping[TestId, Outcome]] = (),
    today: date | None = None,
) -> Baseline:
    """The baseline updated with these outcomes; `save` writes it.

    Tests without an outcome (or with `missing`) keep their line, and notes stay. The repeats of a test count together, in
    its line. If the table comes from an older series, the new one begins with a copy of it, in which the tests that ran
    restart their counts: results of an older kernel are a starting point, not evidence about this one. Of those that did not
    run, `gone` are removed: tests that this kernel does not have. Kernel reports that gate become known, for any test, except
    those that are allowed for a time that has not ended `today`; `strays` are the reports outside of tests in the run's
    record; `again` has results of tests that ran again to decide on their failures.
    """
    tables = dict(baseline.tables)
    ran: dict[TestId, list[Outcome]] = {}
    for test, outcome in chain(outcomes.items(), *(each.items() for each in again)):
        if outcome.status is not Status.MISSING:
            ran.setdefault(test.plain, []).append(outcome)
    for test, repeats in ran.items():
        key = (test.suite, test.profile)
        before = baseline.tables.get(key, Table(baseline.series))
        afresh = mode is Mode.REPLACE or before.series != baseline.series
        table = tables.get(key) or before
        if table.series != baseline.series:
            table = replace(table, entries={n: e for n, e in table.entries.items() if TestId(*key, n) not in gone})
        entry = updated(before.entries.get(test.name), test, repeats, afresh=afresh)
        tables[key] = Table(baseline.series, {**table.entries, test.name: entry}, table.header)
    allowed = baseline.allowed_on(today)
    found = signatures(outcomes, strays, allowed).union(*(signatures(each, (), allowed) for each in again))
    known = baseline.reports.with_signatures(baseline.series, found)
    return Baseline(baseline.series, tables, reports=known, allowed=baseline.allowed)


def save(directory: Path, baseline: Baseline) -> tuple[Path, ...]:
    """Write the files of the baseline's own series, each atomically, and return those that changed.

    Raises InfrastructureError when a file cannot be written.
    """
    written = []
    for (suite, profile), table in sorted(baseline.tables.items()):
        if table.series != baseline.series:
            continue
        path = file_of(directory, baseline.series, suite, profile)
        text = format_table(table)
        try:
            if not path.exists() or path.read_bytes() != text.encode():
                write_atomic(path, text)
                written.append(path)
        except OSError as error:
            raise InfrastructureError(f"cannot write the baseline {path}: {error.strerror}") from error
    return (*written, *reports.save(directory, baseline.reports, baseline.series))


def file_of(directory: Path, series: str, suite: str, profile: str) -> Path:
    """The file of a table. Names are escaped, so that it is always inside `directory`."""
    return directory / series / _component(suite) / f"{_component(profile)}.txt"


def _component(name: str) -> str:
    escaped = quote(name, safe="")
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped


def _numbers(series: str) -> tuple[int, ...]:
    return tuple(int(part) for part in series.split("."))
