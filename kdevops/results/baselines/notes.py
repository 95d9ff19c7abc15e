"""What people say of tests: `notes.txt` of a suite and profile, one line per note, sorted.

    generic/475  until=2027-01-31  # flaky since 6.1.20 https://…
    generic/475>crash:WARNING%20in%20foo  # only with HZ=100
    generic/999  gone  # removed from fstests in 2026

A test may have several notes, and so may a way in which it goes bad. `until` is the last day (UTC) on which the test is known to
fail: from then on its failures count as if nobody knew them. A test that is `gone` no longer exists: nobody misses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.table_text import escape
from kdevops.text import clean

NAME = "notes.txt"
MAX_TEXT = 500
_LINE = re.compile(
    r"(?P<name>[^\s#>]+)(?:>(?P<symptom>[^\s#>]+))?(?:\s+until=(?P<until>\S+))?(?:\s+(?P<gone>gone))?(?:\s+#\s*(?P<text>.*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note about a test, or about one of its symptoms. `until`: the last day on which the test is known to fail.

    `gone`: the test no longer exists.
    """

    test: str
    symptom: str = ""
    until: date | None = None
    text: str = ""
    gone: bool = False


def parse(text: str, *, path: Path) -> tuple[Note, ...]:
    """All notes of a file. Raises UserError naming `path` and the line of the mistake."""
    found = []
    for _, where, line in committed.lines(
        text, path, on_conflict="keep the lines of both sides and remove the markers"
    ):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UserError(f"{where}: not a note: {clean(line, 80)}", hint="expected e.g. `generic/475  # flaky`")
        found.append(
            Note(
                unquote(match["name"]),
                unquote(match["symptom"] or ""),
                _day(match["until"], where),
                clean(match["text"] or "", MAX_TEXT),
                match["gone"] is not None,
            )
        )
    return tuple(dict.fromkeys(found))


def format_notes(notes: Iterable[Note]) -> str:
    """The text of a file; the inverse of `parse`."""
    return "".join(sorted({f"{_format(note)}\n" for note in notes}))


def by_test(notes: Iterable[Note]) -> Mapping[str, tuple[Note, ...]]:
    """The notes of each test."""
    found: dict[str, tuple[Note, ...]] = {}
    for note in notes:
        found[note.test] = (*found.get(note.test, ()), note)
    return found


def _format(note: Note) -> str:
    name = escape(note.test) + (f">{escape(note.symptom)}" if note.symptom else "")
    until = [f"until={note.until}"] if note.until else []
    text = [f"# {said}"] if (said := clean(note.text, MAX_TEXT)) else []
    return "  ".join([name, *until, *(["gone"] if note.gone else []), *text])


def _day(text: str | None, where: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UserError(f"{where}: until={clean(text or '', 40)} is not a day", hint="write it as 2027-01-31") from None
