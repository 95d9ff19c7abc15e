"""Numbers with nouns."""

from __future__ import annotations


def many(number: int, noun: str) -> str:
    """ "1 test", "2 tests"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
