"""What other tools say when they fail: their own words first, then what they mean and the command that mends it.

The rows that say so are the errors.yaml of each wing, and `errors` of each cloud's cloud.yaml.
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
"""Characters of an output that are looked at, its end: errors stand there."""
MESSAGE_LIMIT = 4000
"""Characters of the tool's own words: what is longer than any message for a person."""
_KINDS = {"user": UserError, "infrastructure": InfrastructureError}
_VALUE_LIMIT = 120
_COMMAND_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tool's words mean, `message`, and what mends it, `hint`. `span` is where they stand in what was looked at."""

    message: str
    hint: str
    error: type[KdevopsError]
    span: tuple[int, int]


def rows_of(file: str) -> tuple[Complaint, ...]:
    """The rows of a data file below kdevops/providers, the special before the general."""
    text = files("kdevops.providers").joinpath(file).read_text(encoding="utf-8")
    return TypeAdapter(tuple[Complaint, ...]).validate_python(yaml.safe_load(text))


def meaning_of(plain: str, rows: Iterable[Complaint]) -> Meaning | None:
    """What the first row that is anywhere in `plain` says; None for what no row knows."""
    for row in rows:
        if found := row.match.search(plain):
            return _meaning(row, found)
    return None


def failure(command: str, words: str, meaning: Meaning | None, *, hint: str | None, log: Path | None) -> KdevopsError:
    """The error for a `command` that failed with these words of its own; `hint` is for what no row knows."""
    message = clean(f"{clean(command, _COMMAND_LIMIT)} failed" + (f": {words}" if words else " and said nothing"))
    if meaning is None:
        return InfrastructureError(clean(message, MESSAGE_LIMIT), hint=hint, log=log)
    return meaning.error(clean(message, MESSAGE_LIMIT), hint=f"{meaning.message}; {meaning.hint}", log=log)


def _meaning(row: Complaint, found: re.Match[str]) -> Meaning:
    values = {name: clean(value or "", _VALUE_LIMIT) for name, value in found.groupdict().items()}
    quoted = {name: shlex.quote(value) if value else "" for name, value in values.items()}
    message = " ".join(row.message.format_map(values).split()).rstrip(" :")
    return Meaning(message, row.hint.format_map(quoted), _KINDS[row.kind], found.span())
