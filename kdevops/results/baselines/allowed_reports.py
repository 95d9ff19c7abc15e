"""Kernel reports that a baseline allows for a time, from `reports.yaml` in its directory.

Unlike the signatures of `reports.txt`, which `baseline accept` writes, each entry is written by a person and says why, where
that is discussed, and until when:

    - pattern: "WARNING in xfs_bar"              # a glob, or /a regular expression/, of a report's signature or title
      reason: fixed in 6.1.200, which we do not have yet
      link: https://lore.kernel.org/…
      until: 2027-01-31                          # the last day on which it holds, in UTC
      tests: ["fstests/*/xfs/*"]                 # optional: only under these tests, and so never outside of tests
      series: ["6.1"]                            # optional: only for kernels of these series

The day is always passed in, so that what was judged once is judged the same again.

Patterns meet text that a guest printed, so matching is bounded: at most MAX_TEXT characters are matched, globs cannot
backtrack (`fnmatch` makes atomic groups of them), and regular expressions are those of Rust's `regex`, which pydantic
brings: it has neither backreferences nor lookaround, and takes time linear in the text for any expression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kdevops.errors import UserError
from kdevops.results.baselines.files import Files
from kdevops.results.model import KernelReport, TestId
from kdevops.results.names import fits
from kdevops.results.rows import signature_of
from kdevops.results.store import Run
from kdevops.text import clean

if TYPE_CHECKING:
    from kdevops.results.baselines.allowed_file import Entry

NAME = "reports.yaml"
MAX_TEXT = 500
"""Characters of a signature or title that are matched."""
SOON = timedelta(days=14)
"""An entry that ends within this time is listed."""
FLOOD_KIND = "flood"
"""The kind of the report for those that were dropped, which may be anything: no pattern allows it."""
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


class Matcher(Protocol):
    """A compiled regular expression."""

    def __call__(self, text: str, /) -> bool:
        """Whether it is found in `text`."""


@dataclass(frozen=True, slots=True)
class AllowedReport:
    """One entry, with the place where it was written."""

    pattern: str
    reason: str
    link: str
    until: date
    tests: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    place: str = ""
    expression: Matcher | None = field(default=None, compare=False, repr=False)

    def matches(self, report: KernelReport) -> bool:
        """Whether the report's signature or title fits the pattern."""
        return any(self._fits(text[:MAX_TEXT]) for text in (signature_of(report), clean(report.title)))

    def applies(self, test: TestId | None) -> bool:
        """Whether it holds under this test; None stands for outside of tests."""
        return not self.tests or (test is not None and any(fits(test, glob) for glob in self.tests))

    def __str__(self) -> str:
        return f"{clean(self.reason)}, {clean(self.link)}, until {self.until}"

    def _fits(self, text: str) -> bool:
        return self.expression(text) if self.expression else fnmatchcase(text, self.pattern)


@dataclass(frozen=True, slots=True)
class AllowedReports:
    """The entries that hold, or held, for a kernel series, as of one day."""

    entries: tuple[AllowedReport, ...] = ()
    today: date = date.min

    @property
    def ended(self) -> tuple[AllowedReport, ...]:
        """Those that no longer allow anything."""
        return tuple(each for each in self.entries if each.until < self.today)

    @property
    def ending(self) -> tuple[AllowedReport, ...]:
        """Those that end soon."""
        return tuple(each for each in self.entries if self.today <= each.until and each.until - self.today <= SOON)

    def rule_for(self, report: KernelReport, test: TestId | None) -> AllowedReport | None:
        """The entry that allows a report, else one that did and has ended, else None."""
        if report.kind == FLOOD_KIND:
            return None
        found = [each for each in self.entries if each.applies(test) and each.matches(report)]
        return max(found, key=lambda each: each.until, default=None)

    def holds(self, rule: AllowedReport | None) -> bool:
        """Whether this entry has not ended."""
        return rule is not None and rule.until >= self.today


@dataclass(frozen=True, slots=True)
class AllowList:
    """All entries of a file."""

    entries: tuple[AllowedReport, ...] = ()

    def on(self, today: date, series: str) -> AllowedReports:
        """The entries for a kernel of this series, as of this day."""
        return AllowedReports(tuple(each for each in self.entries if not each.series or series in each.series), today)


def day_of(run: Run) -> date:
    """The day as of which a run is judged, in UTC: that on which it ended, today while it has not."""
    return datetime.fromisoformat(run.ended).astimezone(UTC).date() if run.ended else datetime.now(UTC).date()


def file_of(directory: Path) -> Path:
    """The file of the baseline `directory`."""
    return directory / NAME


def load(directory: Path | Files) -> AllowList:
    """The list of the baseline `directory`, or of files that were kept; empty without the file.

    Raises UserError, with file and line, if it cannot be read or has a mistake: without the list, nobody knows what a run's
    reports mean.
    """
    if isinstance(directory, Files) and directory.texts is not None:
        path, text = directory.place(NAME), directory.texts.get(NAME)
    else:
        path = file_of(directory.directory if isinstance(directory, Files) else directory)
        text = _read(path)
    return parse(text, path) if text is not None else AllowList()


def parse(text: str, path: Path) -> AllowList:
    """The list in a file's text. Raises UserError with one line per mistake, each with its place."""
    from kdevops.results.baselines.allowed_file import (
        read,  # few baselines have the file, and pydantic takes a while to load
    )

    if marker := _CONFLICT.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        raise UserError(
            f"{path}:{line}: an unresolved git conflict: {clean(marker[0], 80)}",
            hint="keep the entries of both sides and remove the markers",
        )
    return AllowList(tuple(_allowed(entry, place) for entry, place in read(text, path)))


def facts(rule: AllowedReport) -> Mapping[str, str]:
    """An entry as data for JSON."""
    return {"pattern": rule.pattern, "reason": rule.reason, "link": rule.link, "until": str(rule.until)}


def _allowed(entry: Entry, place: str) -> AllowedReport:
    return AllowedReport(
        pattern=entry.pattern,
        reason=entry.reason,
        link=entry.link,
        until=entry.until,
        tests=entry.tests or (),
        series=entry.series or (),
        place=place,
        expression=entry.expression(),
    )


def _read(path: Path) -> str | None:
    """The text of the file, None if there is none."""
    from kdevops.lab.document import MAX_BYTES

    try:
        if not path.is_file():
            if not path.exists() and not path.is_symlink():
                return None
            raise UserError(f"{path}: cannot be read: it is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES >> 20} MiB: this is not a list of kernel reports")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8 text (byte 0x{data[error.start]:02x})") from error
