"""Errors of other tools: their own words first, then what they mean and the command that fixes it.

The rows are in the errors.yaml of each wing, and in `errors` of each cloud's cloud.yaml.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.lab.complaint import Complaint
from kdevops.text import clean

EXAMINED = 128 << 10
"""Characters of an output that are searched, from its end: errors are there."""
MESSAGE_LIMIT = 4000
"""Characters of the tool's own words; longer than any message for a person."""
_KINDS = {"user": UserError, "infrastructure": InfrastructureError}
_VALUE_LIMIT = 120
_COMMAND_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tool's words mean, `message`, and the fix, `hint`. `span` is where they are in the searched text."""

    message: str
    hint: str
    error: type[KdevopsError]
    span: tuple[int, int]


def rows_of(file: str) -> tuple[Complaint, ...]:
    """The rows of a data file below kdevops/providers, specific ones before general ones."""
    text = files("kdevops.providers").joinpath(file).read_text(encoding="utf-8")
    return TypeAdapter(tuple[Complaint, ...]).validate_python(yaml.safe_load(text))


def meaning_of(plain: str, rows: Iterable[Complaint]) -> Meaning | None:
    """The meaning from the first row that matches in `plain`; None if none matches."""
    for row in rows:
        if found := row.match.search(plain):
            return _meaning(row, found)
    return None


def failure(command: str, words: str, meaning: Meaning | None, *, hint: str | None, log: Path | None) -> KdevopsError:
    """The error for a failed `command` with these words of its own; `hint` is used if no row matches."""
    message = clean(f"{clean(command, _COMMAND_LIMIT)} failed" + (f": {words}" if words else " and said nothing"))
    if meaning is None:
        return InfrastructureError(clean(message, MESSAGE_LIMIT), hint=hint, log=log)
    return meaning.error(clean(message, MESSAGE_LIMIT), hint=f"{meaning.message}; {meaning.hint}", log=log)


def _meaning(row: Complaint, found: re.Match[str]) -> Meaning:
    values = {name: clean(value or "", _VALUE_LIMIT) for name, value in found.groupdict().items()}
    quoted = {name: shlex.quote(value) if value else "" for name, value in values.items()}
    message = " ".join(row.message.format_map(values).split()).rstrip(" :")
    return Meaning(message, row.hint.format_map(quoted), _KINDS[row.kind], found.span())
