"""Explain validation errors to the author of a lab file: what was found, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kdevops.lab.document import Document, Loc, Problem
from kdevops.text import nearest, nearest_or_all

_WANTED = {
    "bool_type": "true or false",
    "dict_type": "names with values, as in {NAME: VALUE},",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a section with fields",
    "path_type": "a path",
    "string_type": "text (in quotes, if it looks like a number)",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_long": "a list of {max_length} or fewer entries",
    "too_short": "a list of {min_length} or more entries",
}


def explain(error: ValidationError, document: Document, schema: dict[str, Any]) -> list[Problem]:
    """Every validation error as a Problem. `schema` is the JSON Schema of the model, used to look up names."""
    problems = []
    for detail in error.errors(include_url=False):
        loc = _written(detail, document.value)
        problems.append(Problem(document.place(loc), loc, _prose(detail, loc, schema)))
    return problems


def _written(detail: ErrorDetails, value: object) -> Loc:
    """The part of the location that exists in the document, without the validator's additions (the tag of a union)."""
    loc: Loc = ()
    for step in detail["loc"]:
        in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if in_list or (isinstance(value, dict) and step in value):
            value = value[step]  # type: ignore[index]
            loc = (*loc, step)
    if detail["type"] == "union_tag_invalid" and isinstance(value, dict) and "type" in value:
        return (*loc, "type")  # this field selects one of several sections
    return (*loc, detail["loc"][-1]) if detail["type"] == "missing" else loc


def _prose(detail: ErrorDetails, loc: Loc, schema: dict[str, Any]) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "missing":
        return "is missing" + _described(loc, schema)
    if kind == "extra_forbidden":
        return "no such field" + nearest_or_all(str(loc[-1]), _fields(loc[:-1], schema))
    if kind in {"literal_error", "union_tag_invalid"}:
        allowed = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
        word = context.get("tag", found)
        known = f"{describe(word)} is not known here; use one of {', '.join(allowed)}"
        return known + nearest(str(word), allowed, 1)
    if kind == "value_error":
        return str(context["error"]) + ("" if isinstance(found, dict) else f", found {describe(found)}")
    if kind == "string_pattern_mismatch":
        return f"{describe(found)} is not valid" + (_described(loc, schema) or f": the pattern is {context['pattern']}")
    if kind in _BOUNDS:
        wanted = _BOUNDS[kind] if not isinstance(found, dict) else _BOUNDS[kind].removeprefix("a list of ")
        return f"{wanted.format_map(context)} is needed, found {describe(found)}"
    return f"{_WANTED.get(kind) or detail['msg']} is needed, found {describe(found)}"


def describe(value: object) -> str:
    """A short description of a value: `text 'abc'`, `number 5`, `a list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{str(value).lower()} (in YAML also yes, no, on and off)"
        case str():
            return f"text {value[:60]!r}" + ("..." if len(value) > 60 else "")
        case int() | float():
            return f"number {str(value)[:60]}"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a section with fields" if value else "an empty section"
    return f"an unsupported value ({type(value).__name__})"


def _described(loc: Loc, schema: dict[str, Any]) -> str:
    texts = [str(node["description"]) for node in _at(loc, schema) if "description" in node]
    return f": {texts[0].splitlines()[0]}" if texts else ""


def _fields(loc: Loc, schema: dict[str, Any]) -> set[str]:
    return {name for node in _at(loc, schema) for name in node.get("properties", {})}


def _at(loc: Loc, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema nodes that apply at `loc`."""
    nodes = [*_alternatives(schema, schema)]
    for step in loc:
        below = [node.get("items") if isinstance(step, int) else _property(node, step) for node in nodes]
        nodes = [each for node in below if node for each in _alternatives(node, schema)]
    return nodes


def _property(node: dict[str, Any], name: str) -> Any:
    """The schema of a field, or of the values of a table whose keys the user chooses."""
    values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return node.get("properties", {}).get(name) or values[0]


def _alternatives(node: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    if "$ref" in node:
        yield from _alternatives(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    for each in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
        yield from _alternatives(each, schema)
