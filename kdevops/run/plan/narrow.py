"""A part of a plan: the tests that somebody named, or those that went wrong in an earlier run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from kdevops.errors import UserError
from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.text import nearest


def narrowed(rows: Sequence[PlannedRow], patterns: Sequence[str]) -> list[PlannedRow]:
    """The rows that one of the globs fits, all of them without any; a glob that fits a test fits all its repeats.

    It fits when it fits `suite/profile/name`, `profile/name` or `name`. Raises UserError for a glob that fits none.
    """
    chosen: set[TestId] = set()
    for pattern in patterns:
        fitting = [row.id for row in rows if fits(row.id, pattern)]
        if not fitting:
            names = {name for row in rows for name in (str(row.id.plain), row.id.plain.name)}
            raise UserError(f"no planned test fits {pattern}{nearest(pattern, sorted(names))}")
        chosen.update(fitting)
    return [row for row in rows if row.id in chosen or not patterns]


def gone_wrong(store: Store, run_id: int) -> frozenset[TestId]:
    """The tests that failed, crashed, hung or have no result in a run, under their plain names.

    Raises UserError when there is no such run, or no such test in it.
    """
    store.run(run_id)
    bad = {test for test, outcome in store.outcomes(run_id).items() if not outcome.status.is_well}
    tests = frozenset(test.plain for test in bad | {*store.pending(run_id)})
    if not tests:
        raise UserError(
            f"nothing went wrong in run {run_id}, so none of its tests is to be run again",
            hint="list the runs with: kdevops results",
        )
    return tests


def among(rows: Sequence[PlannedRow], tests: Collection[TestId]) -> tuple[list[PlannedRow], frozenset[TestId]]:
    """The rows of these tests, with all their repeats, and those of the tests that are not planned.

    Raises UserError when none is.
    """
    kept = [row for row in rows if row.id.plain in tests]
    absent = frozenset(tests) - {row.id.plain for row in kept}
    if not kept:
        raise UserError(
            f"none of the tests that went wrong then would be run now: {told(absent)}",
            hint="choose them in the lab, with -g, or by name",
        )
    return kept, absent


def told(tests: Collection[TestId], limit: int = 5) -> str:
    """Some of these tests for a message."""
    names = sorted(map(str, tests))
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def fits(test: TestId, pattern: str) -> bool:
    """Whether a glob fits the whole name of a test or the end of it, its plain name or that of a repeat."""
    return any(
        fnmatchcase(text[start:], pattern)
        for text in {str(test), str(test.plain)}
        for start in (0, len(test.suite) + 1, len(test.suite) + len(test.profile) + 2)
    )
