"""Narrows a plan to selected tests, or to those that failed in an earlier run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kdevops.errors import UserError
from kdevops.results.model import TestId
from kdevops.results.names import fits
from kdevops.results.store import PlannedRow, Store
from kdevops.text import nearest


def narrowed(rows: Sequence[PlannedRow], patterns: Sequence[str]) -> list[PlannedRow]:
    """The rows that match one of the globs, or all rows without globs. A glob that matches a test matches all its repeats.

    A glob is matched against `suite/profile/name`, `profile/name` and `name`. Raises UserError if a glob matches nothing.
    """
    chosen: set[TestId] = set()
    for pattern in patterns:
        fitting = [row.id for row in rows if fits(row.id, pattern)]
        if not fitting:
            names = {name for row in rows for name in (str(row.id.plain), row.id.plain.name)}
            raise UserError(f"no planned test matches {pattern}{nearest(pattern, sorted(names))}")
        chosen.update(fitting)
    return [row for row in rows if row.id in chosen or not patterns]


def gone_wrong(store: Store, run_id: int) -> frozenset[TestId]:
    """The tests that failed, crashed, hung or have no result in a run, by plain name.

    Raises UserError if there is no such run, or no such test in it.
    """
    store.run(run_id)
    bad = {test for test, outcome in store.outcomes(run_id).items() if not outcome.status.is_well}
    tests = frozenset(test.plain for test in bad | {*store.pending(run_id)})
    if not tests:
        raise UserError(
            f"nothing went wrong in run {run_id}, so there is nothing to run again",
            hint="list the runs with: kdevops results",
        )
    return tests


def among(rows: Sequence[PlannedRow], tests: Collection[TestId]) -> tuple[list[PlannedRow], frozenset[TestId]]:
    """The rows of these tests, with all their repeats, and the tests that are not planned.

    Raises UserError if none is planned.
    """
    kept = [row for row in rows if row.id.plain in tests]
    absent = frozenset(tests) - {row.id.plain for row in kept}
    if not kept:
        raise UserError(
            f"none of the tests that went wrong then is planned now: {told(absent)}",
            hint="select them in the lab, with -g, or by name",
        )
    return kept, absent


def told(tests: Collection[TestId], limit: int = 5) -> str:
    """The first `limit` test names, for a message."""
    names = sorted(map(str, tests))
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
