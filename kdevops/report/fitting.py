"""The tests that a person means by a name or a part of one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TypeVar

from kdevops.results.model import TestId

_MAX_NEAR = 5
_T = TypeVar("_T")


def fitting(name: str, outcomes: Mapping[TestId, _T]) -> dict[TestId, _T]:
    """The tests that match `name`: that test, else all that end in it, with any profile and all repeats.

    If there are none, those whose name contains it.
    """
    ways: tuple[Callable[[TestId], bool], ...] = (
        lambda test: str(test) == name,
        lambda test: f"/{test}".endswith(f"/{name}") or f"/{test.plain}".endswith(f"/{name}"),
        lambda test: name in str(test),
    )
    for fits in ways:
        if found := {test: outcome for test, outcome in outcomes.items() if fits(test)}:
            return found
    return {}


def near(name: str, outcomes: Mapping[TestId, object]) -> str:
    """Text for when no test matches: the nearest names, and the number of names."""
    names = sorted({test.plain.name for test in outcomes})
    close = difflib.get_close_matches(name[:80], names, n=_MAX_NEAR)
    number = f"{len(names)} name{'' if len(names) == 1 else 's'}"
    return f"nearest of {number}: {', '.join(close)}" if close else f"and none of {number} is similar"
