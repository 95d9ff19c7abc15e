"""Tests whose kernel messages could not be read, in a run's record: what the kernel reported during them is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdevops.results.model import TestId
from kdevops.results.store import JSON

UNWATCHED = "unwatched"
"""Key in the record of a run: `{"count": 3, "tests": [id]}`."""
MAX_NAMED = 100
"""Tests that are named; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """How many tests those are, and the first of them."""

    count: int = 0
    tests: tuple[TestId, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Unwatched:
        """Those in the record of a run."""
        said = record.get(UNWATCHED) or {"count": 0, "tests": []}
        return cls(said["count"], tuple(TestId(*name.split("/", 2)) for name in said["tests"]))

    def with_test(self, test: TestId) -> Unwatched:
        """These and one more."""
        return Unwatched(self.count + 1, (*self.tests, test)[:MAX_NAMED])

    def __add__(self, other: Unwatched) -> Unwatched:
        return Unwatched(self.count + other.count, (*self.tests, *other.tests)[:MAX_NAMED])

    def as_record(self) -> dict[str, JSON]:
        """The part of a run's record to be read by `of`."""
        return {UNWATCHED: {"count": self.count, "tests": [str(test) for test in self.tests]}}
