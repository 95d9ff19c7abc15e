"""Read the JSON report of kirk, the runner of LTP (kirk: libkirk/export.py).

    {"results": [{"test_fqn": "abs01", "status": "pass", "test": {
        "command": "abs01", "arguments": [], "log": "…", "retval": ["0"], "duration": 0.01, "result": "pass",
        "failed": 0, "passed": 3, "broken": 0, "skipped": 0, "warnings": 0}}],
     "stats": {"runtime": 0.01, "passed": 3, "failed": 0, "broken": 0, "skipped": 0, "warnings": 0},
     "environment": {"kernel": "Linux 6.1.192 #1 SMP", "arch": "x86_64", "distribution": "debian", …}}

Of a report that is cut off, the whole tests at its beginning are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdevops.text import clean

MAX_SIZE = 64 << 20
"""Bytes read of a report."""
MAX_TESTS = 100_000
COUNTS = ("passed", "failed", "broken", "skipped", "warnings")
_FACTS = ("kernel", "arch", "cpu", "distribution", "distribution_version", "cmdline", "RAM", "swap")
_MAX_VALUE = 500
_BEGINNING = re.compile(r'\s*\{\s*"results"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its `results` as they are, facts about the machine, totals, and what is wrong with it, "" if nothing is."""

    results: Sequence[Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    stats: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""


def parse(data: bytes, *, cut: bool = False) -> Report | None:
    """The report in this file, None if it is not one of kirk. `cut`: it is longer than what was read."""
    text = data.decode("utf-8-sig", errors="replace")
    try:
        document = None if cut else json.loads(text)
    except (ValueError, RecursionError) as error:
        return _beginning(text, f"cannot be read completely: {clean(str(error), 200)}")
    if cut:
        return _beginning(text, f"is too long: only the first {MAX_SIZE >> 20} MiB were read")
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        return None
    results = document["results"]
    trouble = f"has more than {MAX_TESTS} tests" if len(results) > MAX_TESTS else ""
    return Report(results[:MAX_TESTS], _environment(document), _stats(document), trouble)


def number(value: object) -> int | None:
    """A count, None if the value is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None


def _beginning(text: str, trouble: str) -> Report | None:
    begin = _BEGINNING.match(text)
    if not begin:
        return None
    decoder, at, results = json.JSONDecoder(), begin.end(), list[Any]()
    while len(results) < MAX_TESTS:
        between = _BETWEEN.match(text, at)
        try:
            value, at = decoder.raw_decode(text, between.end() if between else at)
        except (ValueError, RecursionError):
            break
        results.append(value)
    return Report(results, trouble=trouble)


def _environment(document: Mapping[str, Any]) -> dict[str, str]:
    found = document.get("environment")
    said = {name: found.get(name) for name in _FACTS} if isinstance(found, dict) else {}
    cleaned = {name: clean(value, _MAX_VALUE) for name, value in said.items() if isinstance(value, str)}
    return {name: value for name, value in cleaned.items() if value}


def _stats(document: Mapping[str, Any]) -> dict[str, int]:
    found = document.get("stats")
    counts = {name: number(found.get(name)) for name in COUNTS} if isinstance(found, dict) else {}
    return {name: count for name, count in counts.items() if count is not None}
