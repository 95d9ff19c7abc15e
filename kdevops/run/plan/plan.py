"""The plan of a run: every test with its deadline and expected duration, fixed before the first test starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.results.baselines import baseline
from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.built import Built
from kdevops.run.plan.conditions import conditions_of
from kdevops.run.plan.deadline import deadline
from kdevops.run.plan.expected import expected_seconds
from kdevops.suites.base import PlannedTest


def plan(built: Built, store: Store, lab: Lab, baselines: Path, slowdown: float) -> list[PlannedRow]:
    """Every test of every suite, with its earlier duration in seconds: from this store, else from the baseline.

    `slowdown`: the guests', by which deadlines will be multiplied.
    """
    if not built.suites:
        raise UserError(
            "the lab has no suites, so there is nothing to run", hint="add some under `suites:` in the lab file"
        )
    tests = [test for suite in built.suites for test in suite.tests]
    here = store.history(lab.name, [test.id for test in tests])
    known = baseline.load(baselines, built.artifact.release, conditions_of(built))
    elsewhere = {test.id: seconds for test in tests if (seconds := known.seconds(test.id))}
    usual = {**elsewhere, **here}
    expected = expected_seconds(tests, usual)
    # Durations from this store include the slowdown of such guests: undo it, as deadlines are multiplied by it later.
    bases = {**elsewhere, **{test: seconds / slowdown for test, seconds in here.items()}}
    return [PlannedRow(test.id, _deadline(test, bases.get(test.id)), expected.get(test.id)) for test in tests]


def as_planned(test: PlannedTest, row: PlannedRow) -> PlannedTest:
    """The test with its stored deadline: durations measured later do not change a run that has started."""
    return replace(test, timeout=row.timeout, expected=row.expected)


def planned_of(built: Built) -> dict[TestId, PlannedTest]:
    """All available tests, by id."""
    return {test.id: test for suite in built.suites for test in suite.tests}


def _deadline(test: PlannedTest, usual: float | None) -> float:
    seconds = deadline(usual, known=bool(test.known)) if test.timeout is None else test.timeout
    return seconds + test.soak
