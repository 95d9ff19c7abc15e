"""Globs of tests' names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from kdevops.results.model import TestId


def fits(test: TestId, pattern: str) -> bool:
    """Whether a glob matches the whole name of a test or the end of it, with or without its repeat number."""
    return any(
        fnmatchcase(text[start:], pattern)
        for text in {str(test), str(test.plain)}
        for start in (0, len(test.suite) + 1, len(test.suite) + len(test.profile) + 2)
    )
