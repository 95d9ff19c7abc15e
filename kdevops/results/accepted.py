"""Which runs a baseline already includes, so that none is counted twice: a text file beside the counts, in the same git.

`<directory>/6.1/accepted.txt` begins with comment lines, then has one line per run, sorted by the run's mark:

    3f9c0a1b2c4d5e6f  2026-11-21 22:42 UTC, lab demo

The mark is a hash of the run's results, since its number differs between stores; of imported results it is their identity,
the same everywhere. The file is committed, reverted and merged with the counts, unlike a note in the store; marks are
practically random, so that lines added by two people rarely conflict. A line that ends in `begun` belongs to a run whose
counts are being written, or were when kdevops was killed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.results import committed, imported
from kdevops.results.files import Files
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import Run
from kdevops.text import clean

NAME = "accepted.txt"
_HEADER = ("# Runs that are counted in the files of this series; kdevops adds none of them again.",)
_BEGUN = "begun"
_LINE = re.compile(r"(?P<mark>[0-9a-f]{16})(?:\s+(?P<text>.*))?", re.ASCII)
_TOLD = re.compile(rf", lab (?P<lab>.+?)(?:, {_BEGUN})?$")


class Accepted(StrEnum):
    """Whether a run is in a baseline."""

    NO = "no"
    BEGUN = "begun"
    YES = "yes"


def file_of(directory: Path, series: str) -> Path:
    """The file of a series of the baseline `directory`."""
    return directory / series / NAME


def mark_of(run: Run, outcomes: Mapping[TestId, Outcome]) -> str:
    """A run's name in any store: 16 hexadecimal digits of a hash of its lab, creation time and results.

    Imported results have the same name wherever and whenever they were imported, as whatever lab.
    """
    if whose := imported.identity(run):
        return whose[:16]
    ends = sorted([*map(str, (test, outcome.status)), outcome.seconds] for test, outcome in outcomes.items())
    return hashlib.sha256(json.dumps([run.lab, run.created, ends]).encode()).hexdigest()[:16]


def known(directory: Path, series: str, mark: str) -> Accepted:
    """Whether the run is in the baseline. Raises UserError, naming file and line, for an invalid file."""
    text = _read(file_of(directory, series))[1].get(mark)
    if text is None:
        return Accepted.NO
    return Accepted.BEGUN if text.endswith(_BEGUN) else Accepted.YES


def labs(files: Files, series: str) -> frozenset[str]:
    """The labs whose runs are in the files of a series. Raises UserError as `known` does."""
    name = f"{series}/{NAME}"
    try:
        lines = _parsed(files.read(name), files.place(name))[1].values()
    except committed.AbsentError:
        return frozenset()
    return frozenset(match["lab"] for match in map(_TOLD.search, lines) if match)


def begin(directory: Path, series: str, mark: str, run: Run) -> None:
    """Record that the run's counts are about to be written. Raises InfrastructureError when writing fails."""
    _put(directory, series, mark, f"{_told(run)}, {_BEGUN}")


def finish(directory: Path, series: str, mark: str, run: Run) -> bool:
    """Record that the run's counts are written; returns whether the file changed. Raises as `begin`."""
    return _put(directory, series, mark, _told(run))


def _told(run: Run) -> str:
    when = f"{datetime.fromisoformat(run.created):%Y-%m-%d %H:%M} UTC"
    if imported.is_imported(run):
        when = f"ran {days}" if (days := imported.days(run)) else "imported"
    return f"{when}, lab {clean(run.lab)}"


def _put(directory: Path, series: str, mark: str, text: str) -> bool:
    path = file_of(directory, series)
    header, runs = _read(path)
    if runs.get(mark) == text:
        return False
    lines = sorted(f"{each}  {said}".rstrip() for each, said in {**runs, mark: text}.items())
    try:
        write_atomic(path, "".join(f"{line}\n" for line in (*(header or _HEADER), *lines)))
    except OSError as error:
        raise InfrastructureError(f"cannot write the baseline {path}: {error.strerror}") from error
    return True


def _read(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The comment lines, and each run's text by its mark."""
    try:
        return _parsed(committed.read(path), path)
    except committed.AbsentError:
        return (), {}


def _parsed(text: str, path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    header, runs = [], {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if line.startswith("#"):
            header.append(line)
        elif match := _LINE.fullmatch(line):
            runs[match["mark"]] = match["text"] or ""
        elif line:
            raise UserError(
                f"{path}:{number}: not a run's line: {clean(line, 80)}",
                hint="after a merge, keep the lines of both sides and remove git's markers",
            )
    return tuple(header), runs
