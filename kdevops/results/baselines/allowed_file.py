"""The file `reports.yaml` of a baseline: its fields, and what is wrong with it. See `allowed_reports`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError, SchemaValidator, core_schema

from kdevops.errors import UserError
from kdevops.lab.document import SourceSpan
from kdevops.lab.document import parse as parse_yaml
from kdevops.lab.explain import explain
from kdevops.lab.fields import Model, one_or_more
from kdevops.lab.load import MAX_SHOWN

MAX_PATTERN = 500
"""Characters."""
_ANYTHING = ("", "\N{SNOWMAN}", "\N{SNOWMAN} \N{SNOWMAN}\N{SNOWMAN}")
"""Not kernel reports: a pattern that matches one of these matches any text."""
_KIND = "a list of kernel reports"


def _expression(pattern: str) -> Callable[[str], bool] | None:
    """The regular expression between two slashes, compiled; None for a glob. Raises ValueError if it is not one."""
    if len(pattern) < 2 or not (pattern.startswith("/") and pattern.endswith("/")):
        return None
    try:
        schema = core_schema.str_schema(pattern=pattern[1:-1], regex_engine="rust-regex")
        return SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        why = str(error).strip().splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
        raise ValueError(f"not a regular expression: {why}") from None


def _check_pattern(pattern: str) -> str:
    expression = _expression(pattern)
    if any(expression(text) if expression else fnmatchcase(text, pattern) for text in _ANYTHING):
        raise ValueError("this pattern fits any text: name the report")
    return pattern


def _as_date(value: object) -> object:
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"not a day: {error}") from None
    raise ValueError("a day such as 2027-01-31 is needed")


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
_Series = Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$", description='a kernel series in quotes: "6.1"')]


class Entry(Model):
    """One entry of the file."""

    pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(
        min_length=1,
        max_length=MAX_PATTERN,
        description="a glob, or a /regular expression/, of a report's signature or title",
    )
    reason: _Text = Field(description="why the report does not count")
    link: str = Field(pattern=r"^https?://[^\s/]\S*$", max_length=2000, description="where it is discussed: https://…")
    until: Annotated[date, BeforeValidator(_as_date, json_schema_input_type=str)] = Field(
        description="the last day on which it holds, such as 2027-01-31"
    )
    tests: Annotated[tuple[_Text, ...], one_or_more(str), Field(min_length=1)] | None = None
    series: Annotated[tuple[_Series, ...], one_or_more(str), Field(min_length=1)] | None = None

    def expression(self) -> Callable[[str], bool] | None:
        """The pattern's regular expression; None for a glob."""
        return _expression(self.pattern)


_ENTRIES: TypeAdapter[tuple[Entry, ...]] = TypeAdapter(tuple[Entry, ...])


def read(text: str, path: Path) -> Sequence[tuple[Entry, str]]:
    """The entries, each with its place. Raises UserError with one line per mistake."""
    document = parse_yaml(
        text, lambda line, column: SourceSpan(str(path), line, column, path.parent), null_ok=True, what=_KIND
    )
    value = [] if document.value is None else document.value
    problems = list(document.problems)
    try:
        entries = _ENTRIES.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        told = {problem.loc for problem in problems}
        schema = _ENTRIES.json_schema(mode="validation")
        problems += [each for each in explain(error, document, schema) if each.loc not in told]
    else:
        if not problems:
            return [(entry, str(document.place((number,)))) for number, entry in enumerate(entries)]
    lines = [str(problem) for problem in sorted(problems)]
    rest = [f"and {len(lines) - MAX_SHOWN} more problems"] if len(lines) > MAX_SHOWN else []
    raise UserError(
        "\n".join(lines[:MAX_SHOWN] + rest),
        hint="an entry has pattern, reason, link and until, and may have tests and series; see docs/results.md",
    )
