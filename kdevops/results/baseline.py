"""What tests are known to do, as text made for `git diff` and `git merge`.

One file for each kernel series, suite and profile: `<directory>/6.1/selftests/default.txt`. It begins with any number
of comment lines, then has one line a test, sorted by name:

    futex:run.sh  pass=12 fail=1  1.4s  # flaky since 6.1.20 https://…

that is the name, how often the test ended how (never a zero, and no `missing`, which is no result), the usual seconds
(left out while unknown), and a note (left out when there is none). Columns are not aligned, so that a new test with a
long name changes one line and not all. In names, and in the directories of suite and profile, blanks, `#`, `%`, `=`,
`<`, `>`, `|` and whatever is not ASCII are percent-escaped as in a URL: a line always splits at blanks, and none looks
like a conflict.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote, unquote

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.results import reports
from kdevops.results.complaints import signatures
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.rate import counts_of
from kdevops.results.reports import KnownReports
from kdevops.text import clean

_SAFE = "/:!$&'()*+,;@[]^`{}~\"\\-._?"
_LINE = re.compile(
    r"(?P<name>[^\s=#]+)(?P<counts>(?:\s+[^\s=#]+=\S+)+)(?:\s+(?P<seconds>\d{1,9}(?:\.\d{1,9})?)s)?(?:\s+#\s*(?P<note>.*))?",
    re.ASCII,
)
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")
_SERIES = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")
_COUNTED = {status.value: status for status in Status if status is not Status.MISSING}
_SAME_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one test. `seconds` is what it usually takes, kept to a tenth, None while unknown.

    `expunged` says that only an expunge list knows it: `counts` is then what its note tells of others' runs, and a failure
    among them may be of any kind.
    """

    counts: Counts
    seconds: float | None = None
    note: str = ""
    expunged: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One file: entries by the test's name, and the comment lines above them. `series` is where it was found."""

    series: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    header: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known for the kernel series `series`, by suite and profile.

    A suite and profile without a file for this series has the one of the nearest older series, which its table names.
    `expunged` has the reasons of tests that are known to fail from elsewhere; a test's own entry goes before it, and it
    is never written to a file. `ignored` are directories with tables that are of no series. `reports` are the kernel
    reports that are known, whatever test they are under.
    """

    series: str
    tables: Mapping[tuple[str, str], Table] = field(default_factory=dict)
    expunged: Mapping[TestId, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    reports: KnownReports = field(default_factory=KnownReports)

    def table(self, test: TestId) -> Table | None:
        """The table of a test's suite and profile, None when there is none."""
        return self.tables.get((test.suite, test.profile))

    def entry(self, test: TestId) -> Entry | None:
        """What is known of a test, None for nothing. All repeats of a test have the entry of the test."""
        test, table = test.plain, self.table(test)
        if table and (entry := table.entries.get(test.name)):
            return entry
        note = self.expunged.get(test)
        return None if note is None else Entry(counts_of(note), note=note, expunged=True)

    def ever_ran(self, keys: Collection[tuple[str, str]]) -> frozenset[TestId]:
        """The tests of these suites and profiles that were seen to run: to pass, fail, crash or hang, not only to skip."""
        return frozenset(
            TestId(*key, name)
            for key in keys
            if key in self.tables
            for name, entry in self.tables[key].entries.items()
            if entry.counts[Status.PASS] or entry.counts.bad
        )

    def with_expunges(self, expunged: Mapping[TestId, str]) -> Baseline:
        """This baseline with tests that expunge lists know to fail, each with the reason."""
        return replace(self, expunged={**self.expunged, **expunged})


class Mode(StrEnum):
    """How outcomes meet old counts: `merge` adds them up, `replace` forgets the old counts of the tests that ran."""

    MERGE = "merge"
    REPLACE = "replace"


def series_of(release: str) -> str:
    """The series of a kernel release: "6.1.192+" and "6.1-rc3" are of "6.1". Raises UserError when it has none."""
    match = _SERIES.match(release)
    if not match:
        raise UserError(
            f"{clean(release, 80)!r} is no kernel release", hint="it begins with two numbers, as in 6.1.192"
        )
    return match[0]


def load(directory: Path, series: str) -> Baseline:
    """Read what `directory` knows for a series; nothing at all when it does not exist.

    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    found, ignored = series_in(directory)
    tables: dict[tuple[str, str], Table] = {}
    nearest_first = [each for each in reversed(found) if _numbers(each) <= _numbers(series)]
    for older in nearest_first:
        for path in sorted((directory / older).glob("*/*.txt")):
            key = (unquote(path.parent.name), unquote(path.stem))
            if key not in tables:
                tables[key] = parse(_read(path), path=path, series=older)
    return Baseline(series, tables, ignored=ignored, reports=reports.load(directory, nearest_first))


def series_in(directory: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The series in `directory`, the oldest first, and its other directories that have tables all the same.

    Raises UserError when it is not a directory.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(f"the baseline {directory} is not a directory", hint="set `baseline` in lab.yaml")
    names = [path.name for path in directory.glob("*") if path.is_dir()]
    found = sorted((name for name in names if _SERIES.fullmatch(name)), key=_numbers)
    others = {path.parent.parent.name for path in directory.glob("*/*/*.txt")} - set(found)
    return tuple(found), tuple(sorted(clean(name) for name in others if not name.startswith(".")))


def parse(text: str, *, path: Path, series: str) -> Table:
    """The table in a file's text. Raises UserError naming `path` and the line of whatever is wrong."""
    header: list[str] = []
    entries: dict[str, Entry] = {}
    first_seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        where = f"{path}:{number}"
        if _CONFLICT.match(line):
            raise UserError(
                f"{where}: an unresolved git conflict: {clean(line, 80)}",
                hint="keep one line for each test (counts of both sides may be added up) and remove the markers",
            )
        if line.startswith("#"):
            if entries:
                raise UserError(
                    f"{where}: a comment among the tests, which sorting would tear from its place",
                    hint="put it above the first test, or behind one as its note",
                )
            header.append(line)
        elif line:
            name, entry = _parse_line(line, where)
            if name in entries:
                raise UserError(
                    f"{where}: {clean(name, 80)} is already on line {first_seen[name]}",
                    hint="keep one of the two lines (counts of both may be added up)",
                )
            entries[name], first_seen[name] = entry, number
    return Table(series, entries, tuple(header))


def format_table(table: Table) -> str:
    """The text of a table; `parse` gives the table back."""
    lines = sorted(f"{escape(name)}  {_format_entry(entry)}" for name, entry in table.entries.items())
    return "".join(f"{line}\n" for line in (*table.header, *lines))


def accept(
    baseline: Baseline,
    outcomes: Mapping[TestId, Outcome],
    *,
    mode: Mode = Mode.MERGE,
    gone: Collection[TestId] = (),
    strays: Iterable[Mapping[str, Any]] = (),
) -> Baseline:
    """The baseline that takes these outcomes for what is to be expected; `save` writes it.

    Tests without an outcome keep their line, `missing` ones count as such, and notes stay. The repeats of a test count
    together, in its line. Where the table comes from an older series, the new one begins with a copy of it, in which the
    tests that ran start counting afresh: what an older kernel did is knowledge to begin with, not evidence about this one.
    Of those that did not, `gone` are left out: tests that this kernel does not have. What the kernel reported of its own
    trouble is known from then on, under any test; `strays` are reports of the run's record that no test is to blame for.
    """
    tables = dict(baseline.tables)
    ran: dict[TestId, list[Outcome]] = {}
    for test, outcome in outcomes.items():
        if outcome.status is not Status.MISSING:
            ran.setdefault(test.plain, []).append(outcome)
    for test, repeats in ran.items():
        key = (test.suite, test.profile)
        before = baseline.tables.get(key, Table(baseline.series))
        afresh = mode is Mode.REPLACE or before.series != baseline.series
        table = tables.get(key) or before
        if table.series != baseline.series:
            table = replace(table, entries={n: e for n, e in table.entries.items() if TestId(*key, n) not in gone})
        entry = _updated(before.entries.get(test.name), repeats, afresh=afresh)
        tables[key] = Table(baseline.series, {**table.entries, test.name: entry}, table.header)
    known = baseline.reports.with_signatures(baseline.series, signatures(outcomes.values(), strays))
    return Baseline(baseline.series, tables, reports=known)


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
            raise InfrastructureError(f"the baseline {path} cannot be written: {error.strerror}") from error
    return (*written, *reports.save(directory, baseline.reports, baseline.series))


def file_of(directory: Path, series: str, suite: str, profile: str) -> Path:
    """The file of a table. The names are escaped, so that none leads out of `directory`."""
    return directory / series / _component(suite) / f"{_component(profile)}.txt"


def escape(name: str) -> str:
    """A test's name as it stands in a file."""
    return quote(name, safe=_SAFE)


def _component(name: str) -> str:
    escaped = quote(name, safe="")
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped


def _numbers(series: str) -> tuple[int, ...]:
    return tuple(int(part) for part in series.split("."))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the baseline {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the baseline {path} is not UTF-8 text (byte {error.start})") from error


def _parse_line(line: str, where: str) -> tuple[str, Entry]:
    match = _LINE.fullmatch(line)
    if not match:
        raise UserError(
            f"{where}: not a test's line: {clean(line, 80)}",
            hint="it looks like `futex:run.sh  pass=12 fail=1  1.4s  # note`; a blank in a name is written %20",
        )
    seconds = float(match["seconds"]) if match["seconds"] else None
    counts = _parse_counts(match["counts"].split(), where)
    return unquote(match["name"]), Entry(counts, seconds, clean(match["note"] or ""))


def _parse_counts(words: Iterable[str], where: str) -> Counts:
    counts: dict[Status, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        status = _COUNTED.get(name)
        if status is None:
            raise UserError(f"{where}: unknown status {clean(name, 40)!r}", hint=f"known: {', '.join(_COUNTED)}")
        if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise UserError(f"{where}: {clean(word, 40)}: a count is a whole number from 1 to 999999999")
        if status in counts:
            raise UserError(f"{where}: {name} is counted twice")
        counts[status] = int(number)
    return Counts(counts)


def _format_entry(entry: Entry) -> str:
    parts = [" ".join(f"{status}={entry.counts[status]}" for status in _COUNTED.values() if entry.counts[status])]
    if entry.seconds is not None:
        parts.append(f"{entry.seconds:.1f}s")
    if note := clean(entry.note):
        parts.append(f"# {note}")
    return "  ".join(parts)


def _updated(before: Entry | None, repeats: Sequence[Outcome], *, afresh: bool) -> Entry:
    now = Counts.of(outcome.status for outcome in repeats)
    if before is None:
        return Entry(now, _usual(None, repeats))
    return replace(before, counts=now if afresh else before.counts + now, seconds=_usual(before.seconds, repeats))


def _usual(before: float | None, repeats: Sequence[Outcome]) -> float | None:
    """The old duration unless the new one is clearly another: noise must not change every line of a file."""
    seconds = [outcome.seconds for outcome in repeats if outcome.status.ran_to_its_end]
    if not seconds:
        return before
    now = round(median(seconds), 1)
    if before is not None and abs(now - before) <= max(1.0, _SAME_SECONDS * before):
        return before
    return now
