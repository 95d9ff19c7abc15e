"""The runs that are in tables of older versions: `accepted.txt` beside them, one line per run.

    3f9c0a1b2c4d5e6f  2026-11-21 22:42 UTC, lab demo

The mark is a hash of the run's results. Nothing writes such files any more: counts name their runs (`counted`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results import imported
from kdevops.results.baselines import committed
from kdevops.results.baselines.files import Files
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import Run
from kdevops.text import clean

NAME = "accepted.txt"
_LINE = re.compile(r"(?P<mark>[0-9a-f]{16})(?:\s+(?P<text>.*))?", re.ASCII)


def mark_of(run: Run, outcomes: Mapping[TestId, Outcome]) -> str:
    """A run's name in any store: 16 hexadecimal digits of a hash of its lab, creation time and results."""
    if whose := imported.identity(run):
        return whose[:16]
    ends = sorted([*map(str, (test, outcome.status)), outcome.seconds] for test, outcome in outcomes.items())
    return hashlib.sha256(json.dumps([run.lab, run.created, ends]).encode()).hexdigest()[:16]


def is_begun(said: str) -> bool:
    """Whether the counts of a run, of which this is said, were being written when kdevops was killed."""
    return said.endswith(", begun")


def marks(files: Files, series: str) -> Mapping[str, str]:
    """The runs that are in the old tables of a series, each with what is said of it. Raises UserError for an invalid file."""
    name = f"{series}/{NAME}"
    try:
        return _parsed(files.read(name), files.place(name))
    except committed.AbsentError:
        return {}


def _parsed(text: str, path: Path) -> dict[str, str]:
    runs = {}
    keep = "keep the lines of both sides and remove git's markers"
    for _, where, line in committed.lines(text, path, on_conflict=keep):
        if line.startswith("#"):
            continue
        if match := _LINE.fullmatch(line):
            runs[match["mark"]] = match["text"] or ""
        elif line:
            raise UserError(f"{where}: not a run's line: {clean(line, 80)}", hint=keep)
    return runs
