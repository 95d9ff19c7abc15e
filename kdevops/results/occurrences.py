"""What the store has of single tests over all runs: by the plan's own index, run for run, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kdevops.results.model import Status, TestId
from kdevops.results.reading import Reading

# In this order, CROSS JOIN: a look into the index of each run's plan for each run, where a scan would read millions of rows.
_OF_TEST = (
    "SELECT run.id, lab, created, kernel, status, reason FROM run CROSS JOIN planned"
    " JOIN outcome ON outcome.planned = planned.id JOIN summary ON summary.run = run.id"
    " WHERE planned.run = run.id AND suite = :suite AND profile = :profile AND name = :name AND (lab = :lab OR :lab IS NULL)"
    " ORDER BY run.id"
)


class Occurrence(NamedTuple):
    """One result of a test. `at` is when its run was created, UTC in ISO 8601; `kernel` is the release, "" if unknown.

    `decides`: the run whose failures its run only repeats; None for a run of its own. A tuple, because there are thousands.
    """

    run: int
    lab: str
    at: str
    kernel: str
    status: Status
    reason: str = ""
    decides: int | None = None


def known_tests(store: Reading) -> tuple[TestId, ...]:
    """All tests that were ever planned, repeats by themselves, sorted."""
    return tuple(
        TestId(*row) for row in store.query("SELECT suite, profile, name FROM test ORDER BY suite, profile, name")
    )


def occurrences(store: Reading, names: Iterable[TestId], lab: str | None = None) -> list[Occurrence]:
    """The results of a test, given with the names of its repeats, in all runs (of one lab, or of all), oldest run first."""
    # Not read from the run's row, where it stands behind the record.
    decides = dict(store.query("SELECT id, decides FROM run WHERE decides IS NOT NULL"))
    found = [
        Occurrence(run, where, at, kernel, Status.read(status), reason, decides.get(run))
        for test in names
        for run, where, at, kernel, status, reason in store.query(
            _OF_TEST, suite=test.suite, profile=test.profile, name=test.name, lab=lab
        )
    ]
    return sorted(found, key=lambda each: each.run)
