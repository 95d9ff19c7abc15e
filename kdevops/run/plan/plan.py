"""The plan of a run: every test with its deadline and what it is expected to take, fixed before the first one starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.results import baseline
from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.built import Built
from kdevops.run.plan.deadline import deadline
from kdevops.run.plan.expected import expected_seconds
from kdevops.suites.base import PlannedTest


def plan(built: Built, store: Store, lab: Lab, baselines: Path, factor: float) -> list[PlannedRow]:
    """Every test of every suite, with the seconds it took before: here, else for whoever wrote the baseline.

    `factor` is that of the guests' accelerator, by which deadlines will be stretched.
    """
    if not built.suites:
        raise UserError(
            "the lab has no suites, so there is nothing to run", hint="add some below `suites:` in the lab file"
        )
    tests = [test for suite in built.suites for test in suite.tests]
    here = store.history(lab.name, [test.id for test in tests])
    known = baseline.load(baselines, baseline.series_of(built.artifact.release))
    elsewhere = {test.id: entry.seconds for test in tests if (entry := known.entry(test.id)) and entry.seconds}
    usual = {**elsewhere, **here}
    expected = expected_seconds(tests, usual)
    # What was measured here was measured in guests as slow as these: stretched again, a deadline would never come.
    bases = {**elsewhere, **{test: seconds / factor for test, seconds in here.items()}}
    return [PlannedRow(test.id, _deadline(test, bases.get(test.id)), expected.get(test.id)) for test in tests]


def as_planned(test: PlannedTest, row: PlannedRow) -> PlannedTest:
    """The test with the deadline that was stored: what is learnt of it later does not change a run that has begun."""
    return replace(test, timeout=row.timeout, expected=row.expected)


def planned_of(built: Built) -> dict[TestId, PlannedTest]:
    """All tests that could be planned, by id."""
    return {test.id: test for suite in built.suites for test in suite.tests}


def _deadline(test: PlannedTest, usual: float | None) -> float:
    seconds = deadline(usual, known=bool(test.known)) if test.timeout is None else test.timeout
    return seconds + test.soak
