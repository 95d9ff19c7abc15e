"""Tests that went bad before and now go bad in another way: shared by all reports for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdevops.results.symptoms import spoken
from kdevops.results.verdict import Judged
from kdevops.text import clean

_MAX_WAYS = 3
_MAX_WAY = 160


def another_way(judged: Judged) -> str:
    """ "fails in another way: subtest alpha (known: subtest beta)"; "" for any other test."""
    if not judged.in_another_way:
        return ""
    return f"fails in another way: {differing(judged)}"


def differing(judged: Judged) -> str:
    """The ways that nobody knows, and the known ones in parentheses."""
    known = f" (known: {_some(judged.ways.known)})" if judged.ways.known else ""
    # A fingerprint tells a person nothing, but the first line that differs does.
    lines = {each.name: each.reason for each in judged.outcome.subtests}
    return f"{_some(judged.unknown, lines)}{known}"


def _some(symptoms: Sequence[str], lines: Mapping[str, str] | None = None) -> str:
    more = f" and {len(symptoms) - _MAX_WAYS} more" if len(symptoms) > _MAX_WAYS else ""
    line = {each: f' "{said}"' for each in symptoms if (said := (lines or {}).get(each))}
    return ", ".join(clean(spoken(each) + line.get(each, ""), _MAX_WAY) for each in symptoms[:_MAX_WAYS]) + more
