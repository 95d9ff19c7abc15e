"""Known failures from expunge lists: in a run's record, excluded from the run, and for its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kdevops.results.model import TestId
from kdevops.results.store import JSON, Run, Store

if TYPE_CHECKING:  # looking at a run need not import what makes one
    from kdevops.lab.model import Lab
    from kdevops.suites.base import PreparedSuite

KNOWN = "known"
"""In a run's record: `{"tests": {suite: {profile: {test: why}}}, "left_out": [suite], "from": {suite: where from}}`."""


def known_record(lab: Lab, suites: Iterable[PreparedSuite]) -> dict[str, JSON]:
    """The part of a run's record for `expunged` and `left_out`."""
    from kdevops.suites.base import ListedSuite
    from kdevops.suites.registry import asked

    suites = list(suites)
    tests: dict[str, dict[str, dict[str, JSON]]] = {}
    for suite in suites:
        for test in suite.tests:
            if test.known:
                plain = test.id.plain
                tests.setdefault(plain.suite, {}).setdefault(plain.profile, {})[plain.name] = test.known
    skipping = [
        suite for each in asked(lab) if each.kind.leaves_out_known(each.section) for suite in each.kind.all_test_suites
    ]
    said: dict[str, JSON] = {each.name: each.known_from for each in suites if isinstance(each, ListedSuite)}
    return {KNOWN: {"tests": tests, "left_out": skipping, "from": {name: line for name, line in said.items() if line}}}


def expunged(run: Run) -> Mapping[TestId, str]:
    """The known failures at the time the run was planned, by plain name, each with the reason."""
    return {
        TestId(suite, profile, name): why
        for suite, profiles in run.record.get(KNOWN, {}).get("tests", {}).items()
        for profile, tests in profiles.items()
        for name, why in tests.items()
    }


def left_out(run: Run, planned: Iterable[TestId]) -> frozenset[TestId]:
    """The planned tests that are not run, because they are known failures and the lab skips those."""
    suites, known = run.record.get(KNOWN, {}).get("left_out", []), expunged(run)
    return frozenset(test for test in planned if test.suite in suites and test.plain in known)


def leave_out(store: Store, run: Run) -> None:
    """End the excluded tests of the run that have no status yet."""
    known = expunged(run)
    skipped = sorted(left_out(run, store.pending(run.id)))
    store.left_out(run.id, {test: f"known failure: {known[test.plain]}" for test in skipped})
