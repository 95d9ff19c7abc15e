"""What of a run's record leaves the machine: what is needed to show the run, and no secret that we can tell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from kdevops.text import clean

HIDDEN = "***"
_MAX_DEPTH = 60
_MAX_NUMBER = 1 << 63
# The part of an address before "@": a user and maybe a password, or a token alone.
_CREDENTIALS = re.compile(r"(?<=://)[^/?#@\s\"']{1,500}@")
_SECRET = re.compile(r"pass(word|phrase|wd)|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)
_OF_THIS_MACHINE = frozenset({"guests", "lab_file"})
"""Keys of a record with paths and command lines of the machine, which nothing shows."""


def leaving(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for a bundle. Raises ValueError for what no record has: numbers without end, nesting without end."""
    kept = {name: value for name, value in record.items() if name not in _OF_THIS_MACHINE}
    found: dict[str, Any] = _public(tidy(kept))
    lab = found.get("lab")
    if isinstance(lab, dict):
        found["lab"] = _lab(lab)
    if isinstance(trouble := found.get("trouble"), dict):
        found["trouble"] = trouble | {"log": None}
    return found


def without_credentials(text: str) -> str:
    """`text` without users, passwords and tokens in addresses."""
    return _CREDENTIALS.sub(f"{HIDDEN}@", text) if "://" in text else text


def tidy(value: Any, depth: int = 0) -> Any:
    """Plain data that can be printed, with all texts cleaned but for tabs. Raises ValueError for what is none."""
    if depth > _MAX_DEPTH:
        raise ValueError("the record is nested too deeply")
    if isinstance(value, str):
        return "\t".join(clean(part, lines=True) for part in value.split("\t"))
    if isinstance(value, Mapping):
        return {tidy(str(name)): tidy(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(each, depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the record has a number without end")
    if isinstance(value, int) and abs(value) >= _MAX_NUMBER:
        raise ValueError("the record has a number that is too large")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"the record has something of the type {type(value).__name__}")


def _public(value: Any) -> Any:
    """Plain data without credentials in addresses."""
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, dict):
        return {name: _public(each) for name, each in value.items()}
    return [_public(each) for each in value] if isinstance(value, list) else value


def _lab(value: Any) -> Any:
    """A lab without how its machines are reached or paid for, without its scripts, and without what is named a secret."""
    if isinstance(value, list):
        return [_lab(each) for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, each in value.items():
        if name == "provider" and isinstance(each, dict):
            found[name] = {"type": each["type"]} if isinstance(each.get("type"), str) else {}
        elif name == "commands" and isinstance(each, dict) and isinstance(each.get("tests"), dict):
            found[name] = each | {"tests": dict.fromkeys(each["tests"], "")}
        elif isinstance(each, str) and each and _SECRET.search(name):
            found[name] = HIDDEN
        else:
            found[name] = _lab(each)
    return found
