"""Why a test that the baseline saw run was not planned: somebody chose so, or nothing says why.

A test of which nothing says why was lost: its target does not build any more, the tree has dropped it, an option of the
kernel is gone. Choices are what the lab says (targets, groups, what is skipped or excluded) and what the command line
narrowed the run to. What a kernel of an older series ran does not show that this one can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kdevops.lab.model import DEV
from kdevops.paths import data_dir
from kdevops.results import accepted
from kdevops.results.baseline import Baseline, Table
from kdevops.results.model import TestId
from kdevops.results.store import JSON, Run
from kdevops.results.verdict import NARROWED
from kdevops.run.plan.choices import PASSED_OVER, chosen_otherwise
from kdevops.run.plan.narrow import fits
from kdevops.suites.base import ChoosySuite, PreparedSuite
from kdevops.suites.registry import kind_of_tests

_ASKED = "asked"
"""Of a run's record: what the command line narrowed it to: `{"only": [glob], "failures_of": run, "absent": [test]}`."""
_BESIDE = "only_beside"
"""Of the record of a run under test: `{"series": "6.1", "tests": [id]}`, what only the kernel that it is compared with has."""
_NOT_BESIDE = "not_beside"
"""Of the record of a baseline arm: `[id]`, what it was not asked to run because the kernel under test does not have it."""
OLDER = "only a kernel of an older series ran it"
"""Why, for tests that would have been planned if this kernel had them."""
_Section = Mapping[str, Any]


def asked_record(
    suites: Iterable[PreparedSuite], only: Sequence[str], failures_of: int | None, absent: Iterable[TestId] = ()
) -> dict[str, JSON]:
    """The part of a run's record that `explaining` reads; `absent` went wrong in run `failures_of` and are not planned."""
    passed_over = {suite.name: list(suite.passed_over) for suite in suites if isinstance(suite, ChoosySuite)}
    asked = {"only": list(only), "failures_of": failures_of, "absent": sorted(map(str, absent))}
    return {_ASKED: asked, PASSED_OVER: passed_over}


def arms_records(
    before: Mapping[str, JSON], under_test: Mapping[str, JSON], only_before: Iterable[TestId], series: str
) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Both records of two arms; `only_before` are tests that only the baseline kernel, of this series, has.

    The baseline arm is asked for what the other one is.
    """
    names = {str(test.plain): test.plain for test in only_before}
    asked = under_test[_ASKED]
    lost = sorted(name for name, test in names.items() if not _narrowed(asked, test))  # type: ignore[arg-type]
    return (
        {**before, _ASKED: asked, _NOT_BESIDE: sorted(names)},
        {**under_test, _BESIDE: {"series": series, "tests": lost}},
    )


def only_beside(run: Run) -> frozenset[TestId]:
    """The tests that only the kernel that the run is compared with has."""
    names = run.record.get(_BESIDE, {}).get("tests", [])
    return frozenset(TestId(*name.split("/", 2)) for name in names)


def asked_for(run: Run) -> frozenset[tuple[str, str]]:
    """The suites that were built for the run, though maybe nothing of one was planned, with the profile of most."""
    return frozenset((suite, "default") for suite in run.record.get("suites", {}))


def explaining(run: Run, planned: Collection[TestId], known: Baseline) -> Callable[[TestId], str]:
    """What tells of a test why the run did not plan it, "" where nothing does."""
    record = run.record
    if "imported" in record:
        return lambda _: "imported results do not say what was left out"
    if "lab" not in record:
        return lambda _: ""
    if _ASKED not in record:
        return lambda _: "an older kdevops did not record what was asked for"
    there = frozenset(test.plain for test in planned)
    directory = Path(record["baseline"])

    @cache
    def labs(series: str) -> frozenset[str]:
        return accepted.labs(directory, series)

    def explain(test: TestId) -> str:
        return (
            _narrowed(record[_ASKED], test)
            or chosen_otherwise(record, test)
            or _other_lab(run, test, known.table(test), labs)
            or _moved(test, there)
            or _other_kernel(record, test, known)
        )

    return explain


def gone_since(run: Run, planned: Collection[TestId], known: Baseline) -> frozenset[TestId]:
    """The tests that a kernel of an older series ran, and that this one does not have though they were asked for."""
    keys = {(test.suite, test.profile) for test in planned} | asked_for(run)
    explain = explaining(run, planned, known)
    absent = known.ever_ran(keys) - {test.plain for test in planned}
    return frozenset(test for test in absent if explain(test) == OLDER)


def _narrowed(asked: _Section, test: TestId) -> str:
    if asked["only"] and not any(fits(test, pattern) for pattern in asked["only"]):
        return f"{NARROWED} to {', '.join(asked['only'][:3])}{', …' if len(asked['only']) > 3 else ''}"
    if asked["failures_of"] is not None and str(test) not in asked["absent"]:
        return f"{NARROWED} to what went wrong in run {asked['failures_of']}"
    return ""


def _other_lab(run: Run, test: TestId, table: Table | None, labs: Callable[[str], frozenset[str]]) -> str:
    """Whether it may be another lab's, where the lab itself makes the tests and so nothing says what it does not want."""
    kind = kind_of_tests(test.suite)
    if kind is None or not kind.lab_makes_tests or table is None:
        return ""
    if others := {lab.removesuffix(DEV) for lab in labs(table.series)} - {run.lab.removesuffix(DEV)}:
        return f"maybe of another lab, as {min(others)}"
    shipped = Path(run.record["baseline"]).is_relative_to(data_dir("baselines"))
    return "maybe of another lab" if shipped else ""


def _moved(test: TestId, planned: Collection[TestId]) -> str:
    """Whether it is run otherwise now: a KUnit suite that is built in, and was a module before."""
    kind = kind_of_tests(test.suite)
    for other in kind.all_test_suites if kind else ():
        if other != test.suite and TestId(other, test.profile, test.name) in planned:
            return f"run as {other} now"
    return ""


def _other_kernel(record: _Section, test: TestId, known: Baseline) -> str:
    if str(test) in record.get(_NOT_BESIDE, []):
        return "the kernel under test does not have it"
    table = known.table(test)
    if table and table.series == known.series and test.name in table.entries:
        return ""
    beside = record.get(_BESIDE, {})
    older = (table and test.name in table.entries) or beside.get("series") != known.series
    return OLDER if older else ""
