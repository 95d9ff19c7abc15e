"""Which runs a baseline has taken in, so that none is counted twice: a text file beside the counts, in the same git.

`<directory>/6.1/accepted.txt` begins with comment lines, then has one line a run, sorted by the run's mark:

    3f9c0a1b2c4d5e6f  2026-11-21 22:42 UTC, lab demo

The mark is made of what the run did, since its number is another one in another store. The file is committed, reverted and merged
with the counts, which a note in the store would not be; the marks are as good as random, so that lines that two people add
rarely meet. A line that ends in `begun` is of a run whose counts are being written, or were when kdevops was killed.
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
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import Run
from kdevops.text import clean

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
    return directory / series / "accepted.txt"


def mark_of(run: Run, outcomes: Mapping[TestId, Outcome]) -> str:
    """What names a run in any store: 16 hexadecimal digits of its lab, when it was made, and how its tests ended."""
    ends = sorted([*map(str, (test, outcome.status)), outcome.seconds] for test, outcome in outcomes.items())
    return hashlib.sha256(json.dumps([run.lab, run.created, ends]).encode()).hexdigest()[:16]


def known(directory: Path, series: str, mark: str) -> Accepted:
    """Whether the run is in the baseline. Raises UserError, naming file and line, for a file that is none of these."""
    text = _read(file_of(directory, series))[1].get(mark)
    if text is None:
        return Accepted.NO
    return Accepted.BEGUN if text.endswith(_BEGUN) else Accepted.YES


def labs(directory: Path, series: str) -> frozenset[str]:
    """The labs whose runs are in the files of a series. Raises UserError as `known` does."""
    lines = _read(file_of(directory, series))[1].values()
    return frozenset(match["lab"] for match in map(_TOLD.search, lines) if match)


def begin(directory: Path, series: str, mark: str, run: Run) -> None:
    """Note that the run's counts are about to be written. Raises InfrastructureError when that cannot be written."""
    _put(directory, series, mark, f"{_told(run)}, {_BEGUN}")


def finish(directory: Path, series: str, mark: str, run: Run) -> bool:
    """Note that the run's counts are written, and say whether the file changed. Raises as `begin`."""
    return _put(directory, series, mark, _told(run))


def _told(run: Run) -> str:
    return f"{datetime.fromisoformat(run.created):%Y-%m-%d %H:%M} UTC, lab {clean(run.lab)}"


def _put(directory: Path, series: str, mark: str, text: str) -> bool:
    path = file_of(directory, series)
    header, runs = _read(path)
    if runs.get(mark) == text:
        return False
    lines = sorted(f"{each}  {said}".rstrip() for each, said in {**runs, mark: text}.items())
    try:
        write_atomic(path, "".join(f"{line}\n" for line in (*(header or _HEADER), *lines)))
    except OSError as error:
        raise InfrastructureError(f"the baseline {path} cannot be written: {error.strerror}") from error
    return True


def _read(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The comment lines, and the text of each run's line under its mark."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return (), {}
    except OSError as error:
        raise UserError(f"the baseline {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the baseline {path} is not UTF-8 text (byte {error.start})") from error
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
                hint="after a merge keep the lines of both sides, and remove git's markers",
            )
    return tuple(header), runs
