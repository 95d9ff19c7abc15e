"""Known test results, as text files for `git diff` and `git merge`.

One file for each kernel series, suite and profile: `<directory>/6.1/selftests/default.txt`. It begins with any number
of comment lines, then has one line per test, sorted by name, each followed by a line per way in which the test went bad:

    futex:run.sh  pass=12 fail=1  1.4s  # flaky since 6.1.20 https://…
    futex:run.sh>sub:alpha  seen=1  # https://…

The first is the name, the count of each status (without zeros and `missing`, which is not a result), the usual seconds
(omitted while unknown), and an optional note. The second is the name, a symptom (see `kdevops.results.symptoms`), the number
of results that had it, and an optional note. A test that went bad and has no such line is from an older file, or its results
were imported: then nobody can say how it went bad. If there are too many symptoms, `futex:run.sh>more  left-out=37` says how
many were dropped.

Columns are not aligned, so that a new test with a long name changes only one line. In names, symptoms, and the directories of
suite and profile, blanks, `#`, `%`, `=`, `<`, `>`, `|` and non-ASCII characters are percent-escaped as in a URL: a line always
splits at blanks, `>` divides test and symptom, and none looks like a conflict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.entry import MAX_SYMPTOMS, Entry, Seen, Table
from kdevops.results.model import Counts, Status
from kdevops.text import clean

_SAFE = "/:!$&'()*+,;@[]^`{}~\"\\-._?"
_NOTE = r"(?:\s+#\s*(?P<note>.*))?"
_LINE = re.compile(
    rf"(?P<name>[^\s=#>]+)(?P<counts>(?:\s+[^\s=#]+=\S+)+)(?:\s+(?P<seconds>\d{{1,9}}(?:\.\d{{1,9}})?)s)?{_NOTE}",
    re.ASCII,
)
_SYMPTOM = re.compile(
    rf"(?P<name>[^\s=#>]+)>(?P<symptom>[^\s=#>]+)\s+(?P<word>seen|left-out)=(?P<times>\S+){_NOTE}", re.ASCII
)
_FIRST_WORD = re.compile(r"[^\s#]+")
_COUNTED = {status.value: status for status in Status if status is not Status.MISSING}
_NONE = "pass=0"
"""Instead of counts: nothing of the test counts."""
_MORE = "more"
_LEFT_OUT = "left-out"
_CUT_NOTE = f"ways to go bad beyond the {MAX_SYMPTOMS} that are kept"


def parse(text: str, *, path: Path, series: str) -> Table:
    """The table in a file's text. Raises UserError naming `path` and the line of the mistake."""
    header: list[str] = []
    tests: list[tuple[str, str]] = []
    keep = "keep one line per test and symptom (you may add the counts of both sides) and remove the markers"
    for _, where, line in committed.lines(text, path, on_conflict=keep):
        if line.startswith("#") and not tests:
            header.append(line)
        elif line:
            tests.append((where, line))
    return Table(series, parse_tests(tests), tuple(header))


def parse_tests(lines: Iterable[tuple[str, str]]) -> dict[str, Entry]:
    """The entries of these lines, each given with its place. Raises UserError naming the place of a mistake."""
    entries: dict[str, Entry] = {}
    first_seen: dict[object, str] = {}
    symptoms = _Symptoms()
    same: dict[str, Counts] = {}
    for where, line in lines:
        if line.startswith("#"):
            raise UserError(
                f"{where}: a comment between tests would lose its place when they are sorted",
                hint="put it above the first test, or after a test as its note",
            )
        key: object
        if ">" in line and (first := _FIRST_WORD.match(line)) and ">" in first[0]:
            key = symptoms.read(line, where)
        else:
            key, entry = _parse_line(line, where, same)
            entries.setdefault(key, entry)
        if key in first_seen:
            word = line.partition(" ")[0]
            raise UserError(
                f"{where}: {clean(unquote(word), 80)} is already on line {first_seen[key].rpartition(':')[2]}",
                hint="keep one of the two lines (you may add their counts)",
            )
        first_seen[key] = where
    return symptoms.added_to(entries)


def format_table(table: Table) -> str:
    """The text of a table; the inverse of `parse`."""
    tests = sorted((f"{escape(name)}  {_format_entry(entry)}", name) for name, entry in table.entries.items())
    lines = [line for first, name in tests for line in (first, *symptom_lines(name, table.entries[name]))]
    return "".join(f"{line}\n" for line in (*table.header, *lines))


def symptom_lines(name: str, entry: Entry) -> list[str]:
    """The lines below that of a test, sorted."""
    lines = [_symptom_line(name, each, "seen", seen.times, seen.note) for each, seen in entry.symptoms.items()]
    cut = entry.symptoms_cut
    return [*sorted(lines), *([_symptom_line(name, _MORE, _LEFT_OUT, cut, _CUT_NOTE)] if cut else [])]


def counts_text(entry: Entry) -> str:
    """The counts of a test as written in a file."""
    counts = " ".join(f"{status}={entry.counts[status]}" for status in _COUNTED.values() if entry.counts[status])
    return counts or _NONE


def escape(name: str) -> str:
    """A test's name as written in a file."""
    return quote(name, safe=_SAFE)


@dataclass(slots=True)
class _Symptoms:
    """The lines about symptoms, in any place of a file: git may have merged them away from their test."""

    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def read(self, line: str, where: str) -> object:
        """Take a line; returns its key."""
        match = _SYMPTOM.fullmatch(line)
        if not match:
            raise UserError(
                f"{where}: not a line about how a test went bad: {clean(line, 80)}",
                hint="expected e.g. `futex:run.sh>sub:alpha  seen=3  # note`; write > in a name as %3E",
            )
        name, symptom = unquote(match["name"]), unquote(match["symptom"])
        times = _number(match["times"], f"{match['word']}={match['times']}", where)
        self.first.setdefault(name, where)
        if match["word"] == _LEFT_OUT:
            self.cut[name] = times
        else:
            self.seen.setdefault(name, {})[symptom] = Seen(times, clean(match["note"] or ""))
        return name, symptom, match["word"]

    def added_to(self, entries: dict[str, Entry]) -> dict[str, Entry]:
        """The entries with their symptoms."""
        for name, where in self.first.items():
            if name not in entries:
                raise UserError(
                    f"{where}: the line of {clean(name, 80)} itself is missing",
                    hint="put it back above this line, or remove this one",
                )
        return {
            name: replace(entry, symptoms=self.seen.get(name, {}), symptoms_cut=self.cut.get(name, 0))
            if name in self.first
            else entry
            for name, entry in entries.items()
        }


def _parse_line(line: str, where: str, same: dict[str, Counts]) -> tuple[str, Entry]:
    """The name and entry of a line. `same`: counts by text, since most lines of a file have the same few."""
    match = _LINE.fullmatch(line)
    if not match:
        raise UserError(
            f"{where}: not a test line: {clean(line, 80)}",
            hint="expected e.g. `futex:run.sh  pass=12 fail=1  1.4s  # note`; write a blank in a name as %20",
        )
    seconds = float(match["seconds"]) if match["seconds"] else None
    if (counts := same.get(text := match["counts"])) is None:
        counts = same[text] = _parse_counts(text.split(), where)
    return unquote(match["name"]), Entry(counts, seconds, clean(match["note"] or ""))


def _parse_counts(words: Sequence[str], where: str) -> Counts:
    counts: dict[Status, int] = {}
    for word in words if words != [_NONE] else ():
        name, _, number = word.partition("=")
        status = _COUNTED.get(name)
        if status is None:
            raise UserError(f"{where}: unknown status {clean(name, 40)!r}", hint=f"known: {', '.join(_COUNTED)}")
        if status in counts:
            raise UserError(f"{where}: {name} is counted twice")
        counts[status] = _number(number, word, where)
    return Counts(counts)


def _number(text: str, word: str, where: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise UserError(f"{where}: {clean(word, 40)}: a count must be a whole number from 1 to 999999999")
    return int(text)


def _format_entry(entry: Entry) -> str:
    seconds = () if entry.seconds is None else (f"{entry.seconds:.1f}s",)
    return "  ".join([counts_text(entry), *seconds, *_note(entry.note)])


def _symptom_line(name: str, symptom: str, word: str, times: int, note: str) -> str:
    return "  ".join([f"{escape(name)}>{escape(symptom)}", f"{word}={times}", *_note(note)])


def _note(text: str) -> Iterator[str]:
    if said := clean(text):
        yield f"# {said}"
