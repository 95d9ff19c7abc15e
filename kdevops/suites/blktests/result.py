"""How one test of blktests ended, from the file that `check` writes at its end, and those beside it.

    status	fail            pass, fail, not run
    reason	dmesg           of a fail: output, exit, dmesg, kmemleak
    exit_status	0
    runtime	0.312s
    date	2026-11-21 03:00:00
    description	do things   and what the test itself reports

The lines come in any order. `check` removes all files of a test when it begins, writes this one at its end, and keeps
`.out.bad`, `.dmesg` and `.kmemleak` only of tests that failed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from kdevops.results.model import Outcome, Status, Subtest
from kdevops.text import clean

MAX_BYTES = 64 << 10
_MAX_REASON = 240
_MAX_KEYS = 200
_RUNTIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s?", re.ASCII)
_FAILED = {"output": "output mismatch", "dmesg": "something found in dmesg", "kmemleak": "kmemleak found a leak"}
_OF_FAILED = (".out.bad", ".dmesg", ".kmemleak")


@dataclass(frozen=True, slots=True)
class Told:
    """What the file says: `values` by key, and in `doubt` why that is unreliable, "" if it is not."""

    values: Mapping[str, str]
    doubt: str = ""


def parse(data: bytes) -> Told:
    """The lines of a file. A last line without an end may have been cut off and does not count."""
    lines = data.decode("utf-8-sig", errors="replace").split("\n")
    values: dict[str, str] = {}
    doubt = "its result file is cut off" if lines[-1] else ""
    for line in lines[:-1]:
        key, tab, value = line.rstrip("\r").partition("\t")
        if not tab or len(values) >= _MAX_KEYS:
            continue
        key, value = clean(key, 60), clean(value, _MAX_REASON)
        if key in {"status", "reason"} and values.get(key, value) != value:
            doubt = f"its result file contains two values of {key}"
        values.setdefault(key, value)
    return Told(values, doubt)


def outcome(told: Told, endings: Collection[str]) -> Outcome:
    """How the test ended; `endings` are those of the files beside. It passed only if nothing contradicts that."""
    said = told.values.get("status", "")
    seconds = _seconds(told.values.get("runtime", ""))
    if said == "fail":
        reason, subtests = _failure(told.values)
        return Outcome(Status.FAIL, seconds, reason, subtests)
    if told.doubt or said not in {"pass", "not run"}:
        doubt = told.doubt or (f"its status is {said!a}" if said else "its result file does not say how it ended")
        return Outcome(Status.MISSING, reason=clean(doubt, _MAX_REASON))
    contradiction = _contradiction(told.values, endings) if said == "pass" else ""
    if contradiction:
        return Outcome(Status.MISSING, reason=contradiction)
    if said == "pass":
        return Outcome(Status.PASS, seconds)
    return Outcome(Status.SKIP, seconds, told.values.get("reason", "") or "not run")


def date(told: Told) -> datetime | None:
    """When the test began, in local time of that machine."""
    try:
        return datetime.fromisoformat(told.values.get("date", "")).replace(tzinfo=None)
    except ValueError:
        return None


def _contradiction(values: Mapping[str, str], endings: Collection[str]) -> str:
    kept = next((ending for ending in _OF_FAILED if ending in endings), "")
    if kept:
        return f"it is recorded as passed, but there is its {kept}"
    if values.get("exit_status", "0") != "0":
        return f"it is recorded as passed, but with exit status {values['exit_status']}"
    return "it is recorded as passed, but with the reason of a failure" if values.get("reason") else ""


def _failure(values: Mapping[str, str]) -> tuple[str, tuple[Subtest, ...]]:
    """Why it failed, and how, as far as results of two runs can be compared: not for output."""
    reason = values.get("reason", "")
    told = f"exit status {values.get('exit_status', 'unknown')}" if reason == "exit" else _FAILED.get(reason, reason)
    subtests = (Subtest(told, Status.FAIL),) if reason in {"exit", "dmesg", "kmemleak"} else ()
    return told, subtests


def _seconds(text: str) -> float:
    match = _RUNTIME.fullmatch(text)
    return float(match[1]) if match else 0.0
