"""The baseline: known test results of a kernel series, by suite and profile.

How its files look is in `kdevops.results.baselines.layout`, what it says of one test in `entry`, how runs are added in
`accepting`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from kdevops.errors import UserError
from kdevops.results.baselines import allowed_reports, reports
from kdevops.results.baselines.allowed_reports import AllowedReports, AllowList
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.entry import Entry, Table, with_list
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import EXPUNGES, OLD_PATTERN, PATTERN, Folder
from kdevops.results.baselines.reports import KnownReports
from kdevops.results.baselines.tables import read_tables
from kdevops.results.model import Status, TestId
from kdevops.results.nearest import by_release, is_kernel, nearest_first
from kdevops.text import clean

_SERIES = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The history for the kernel series `series`, by suite and profile.

    Where there is nothing for this series, that of the nearest older one is known (see the tables). `expunged` has
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

    def seconds(self, test: TestId) -> float | None:
        """How long a test usually takes, None if unknown."""
        table = self.table(test.plain)
        return table.seconds.get(test.plain.name) if table else None

    def entry(self, test: TestId) -> Entry | None:
        """A test's entry, None if unknown. All repeats of a test share one entry."""
        test, table = test.plain, self.table(test)
        entry = table.entry(test.name) if table else None
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

    def is_of_series(self, table: Table) -> bool:
        """Whether a table is of kernels of this series, not of an older one."""
        match = _SERIES.search(table.series)
        return match is not None and match[0] == self.series

    def allowed_on(self, today: date | None) -> AllowedReports:
        """The kernel reports that are allowed for this series as of a day; none without a day."""
        return self.allowed.on(today, self.series) if today else AllowedReports()

    def with_expunges(self, expunged: Mapping[TestId, str]) -> Baseline:
        """This baseline plus tests that expunge lists mark as failing, each with the reason."""
        return replace(self, expunged={**self.expunged, **expunged})


def series_of(release: str) -> str:
    """The series of a kernel release: "6.1.192+" and "6.1-rc3" are of "6.1". Raises UserError when it has none."""
    match = _SERIES.match(release)
    if not match:
        raise UserError(
            f"{clean(release, 80)!r} is not a kernel release", hint="it must begin with two numbers, as in 6.1.192"
        )
    return match[0]


def load(
    directory: Path | Files,
    release: str,
    conditions: Conditions | None = None,
    *,
    today: date | None = None,
    durations: bool = True,
) -> Baseline:
    """Read what a baseline's directory, or files that were kept, know of a kernel release (or series); empty if nothing.

    `conditions` are those of the results that are to be compared, by default those of this machine. `today`: notes that ended
    before this day no longer hold. `durations`: with how long tests take.
    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    files = directory if isinstance(directory, Files) else Files(directory)
    found, ignored = kernels_in(files)
    nearest = nearest_first(found, release)
    tables = read_tables(files, nearest, conditions or Conditions(), today, durations=durations)
    known = reports.load(files, nearest)
    allowed = allowed_reports.load(files)
    return Baseline(series_of(release), tables, ignored=ignored, reports=known, allowed=allowed, files=files)


def kept(
    directory: Path, release: str, keys: Collection[tuple[str, str]], conditions: Conditions | None = None
) -> Files:
    """What the baseline of a release has, as its files are now, of these suites and profiles.

    Raises UserError for a file that cannot be read.
    """
    files, conditions = Files(directory), conditions or Conditions()
    folders = {conditions.folder, conditions.plain.folder}
    found, _ = kernels_in(files)
    used = frozenset(nearest_first(found, release))

    def wanted(name: PurePosixPath) -> bool:
        match len(name.parts):
            case 1:
                return name.name == "reports.yaml"
            case 2:
                return name.suffix == ".txt" and name.parts[0] in used
            case 3:
                key = unquote(name.parent.name), unquote(name.stem)
                return name.suffix == ".txt" and (name.parts[0] not in found or (name.parts[0] in used and key in keys))
            case 5:
                return name.parts[0] in used and name.parts[1] in folders and Folder.of_path(name).key in keys
        return False

    return files.kept(wanted)


def kernels_in(files: Files) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The directories that are named after kernels and have files, and others that contain tables of the old form.

    Raises UserError when it is not a directory.
    """
    names = {path.parts[0] for pattern in ("*/*", OLD_PATTERN, PATTERN) for path in files.named(pattern)}
    found = sorted((name for name in names if is_kernel(name)), key=by_release)
    others = {path.parts[0] for path in files.named(OLD_PATTERN)} - {*found, EXPUNGES}
    return tuple(found), tuple(sorted(clean(name) for name in others if not name.startswith(".")))
