"""How long the tests of a list take: a file beside it, `generic/001 77.0`, written once, with the list.

It only helps to plan (longest tests first, deadlines, estimates), so its lines may come from anywhere: after a merge that kept
both sides of one, the longest time of a test is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.table_text import escape
from kdevops.text import clean

_LINE = re.compile(r"(?P<name>[^\s#]+) (?P<seconds>\d{1,9}(?:\.\d{1,9})?)", re.ASCII)
_LEAST = 1.0
"""Seconds; below that nobody has to plan."""


def parse(text: str, *, path: Path) -> dict[str, float]:
    """Seconds by test. Raises UserError naming `path` and the line of the mistake."""
    found: dict[str, float] = {}
    for _, where, line in committed.lines(text, path, on_conflict="keep the lines of both sides"):
        match = _LINE.fullmatch(line)
        if match:
            name = unquote(match["name"])
            found[name] = max(found.get(name, 0.0), float(match["seconds"]))
        elif line:
            raise UserError(f"{where}: not a test's seconds: {clean(line, 80)}", hint="remove the line")
    return found


def format_seconds(seconds: Mapping[str, float]) -> str:
    """The text of a file: the tests that take a second or more."""
    return "".join(sorted(f"{escape(name)} {took:.1f}\n" for name, took in seconds.items() if took >= _LEAST))
