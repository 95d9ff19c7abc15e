"""Why a test of the baseline was not planned: by choice, or for no known reason.

A test without a known reason was lost: its target no longer builds, the tree has dropped it, or a kernel option is gone.
Choices are made in the lab (targets, groups, skipped or excluded tests) and on the command line. That a kernel of an older
series ran a test does not show that this one can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdevops.paths import data_dir
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Table
from kdevops.results.model import TestId
from kdevops.results.names import fits
from kdevops.results.store import JSON, Run
from kdevops.results.verdict import NARROWED
from kdevops.run.plan.choices import PASSED_OVER, chosen_otherwise

if TYPE_CHECKING:  # suites and labs are heavy, and most runs left nothing out that they would have to explain
    from kdevops.suites.base import PreparedSuite

_ASKED = "asked"
"""In a run's record: the selection on the command line, `{"only": [glob], "failures_of": run, "absent": [test]}`."""
_BESIDE = "only_beside"
"""In the record of a run under test: `{"series": "6.1", "tests": [id]}`, tests that only the baseline kernel has."""
_NOT_BESIDE = "not_beside"
"""In the record of a baseline run: `[id]`, tests not run because the kernel under test does not have them."""
OLDER = "only a kernel of an older series ran it"
"""The reason for tests that would have been planned if this kernel had them."""
_Section = Mapping[str, Any]


def asked_record(
    suites: Iterable[PreparedSuite], only: Sequence[str], failures_of: int | None, absent: Iterable[TestId] = ()
) -> dict[str, JSON]:
    """The part of a run's record for `explaining`. `absent`: tests that failed in run `failures_of` and are not planned."""
    from kdevops.suites.base import ChoosySuite

    passed_over = {suite.name: list(suite.passed_over) for suite in suites if isinstance(suite, ChoosySuite)}
    asked = {"only": list(only), "failures_of": failures_of, "absent": sorted(map(str, absent))}
    return {_ASKED: asked, PASSED_OVER: passed_over}


def arms_records(
    before: Mapping[str, JSON], under_test: Mapping[str, JSON], only_before: Iterable[TestId], series: str
) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """The records of both variants. `only_before`: tests that only the baseline kernel, of this series, has.

    The baseline run gets the selection of the run under test.
    """
    names = {str(test.plain): test.plain for test in only_before}
    asked = under_test[_ASKED]
    lost = sorted(name for name, test in names.items() if not _narrowed(asked, test))  # type: ignore[arg-type]
    return (
        {**before, _ASKED: asked, _NOT_BESIDE: sorted(names)},
        {**under_test, _BESIDE: {"series": series, "tests": lost}},
    )


def only_beside(run: Run) -> frozenset[TestId]:
    """The tests that only the baseline kernel of the run has."""
    names = run.record.get(_BESIDE, {}).get("tests", [])
    return frozenset(TestId(*name.split("/", 2)) for name in names)


def asked_for(run: Run) -> frozenset[tuple[str, str]]:
    """The suites built for the run, each with the default profile, even if none of their tests was planned."""
    return frozenset((suite, "default") for suite in run.record.get("suites", {}))


def explaining(run: Run, planned: Collection[TestId], known: Baseline) -> Callable[[TestId], str]:
    """A function that returns why the run did not plan a test, or "" for no known reason."""
    record = run.record
    if "imported" in record:
        return lambda _: "imported results do not say what was left out"
    if "lab" not in record:
        return lambda _: ""
    if _ASKED not in record:
        return lambda _: "an older kdevops did not record what was asked for"
    there = frozenset(test.plain for test in planned)

    def explain(test: TestId) -> str:
        return (
            _narrowed(record[_ASKED], test)
            or chosen_otherwise(record, test)
            or _other_lab(run, test, known.table(test))
            or _moved(test, there)
            or _other_kernel(record, test, known)
        )

    return explain


def _narrowed(asked: _Section, test: TestId) -> str:
    if asked["only"] and not any(fits(test, pattern) for pattern in asked["only"]):
        return f"{NARROWED} to {', '.join(asked['only'][:3])}{', …' if len(asked['only']) > 3 else ''}"
    if asked["failures_of"] is not None and str(test) not in asked["absent"]:
        return f"{NARROWED} to what went wrong in run {asked['failures_of']}"
    return ""


def _other_lab(run: Run, test: TestId, table: Table | None) -> str:
    """Whether the test may belong to another lab, for suites whose tests are defined in the lab itself."""
    from kdevops.lab.model import DEV
    from kdevops.suites.registry import kind_of_tests

    kind = kind_of_tests(test.suite)
    if kind is None or not kind.lab_makes_tests or table is None:
        return ""
    if others := {lab.removesuffix(DEV) for lab in table.labs} - {run.lab.removesuffix(DEV)}:
        return f"maybe of another lab, as {min(others)}"
    shipped = Path(run.record["baseline"]).is_relative_to(data_dir("baselines"))
    return "maybe of another lab" if shipped else ""


def _moved(test: TestId, planned: Collection[TestId]) -> str:
    """Whether the test now runs under another suite, e.g. a KUnit suite that was a module and is now built in."""
    from kdevops.suites.registry import kind_of_tests

    kind = kind_of_tests(test.suite)
    for other in kind.all_test_suites if kind else ():
        if other != test.suite and TestId(other, test.profile, test.name) in planned:
            return f"run as {other} now"
    return ""


def _other_kernel(record: _Section, test: TestId, known: Baseline) -> str:
    if str(test) in record.get(_NOT_BESIDE, []):
        return "the kernel under test does not have it"
    table = known.table(test)
    if table and known.is_of_series(table) and test.name in table.entries:
        return ""
    beside = record.get(_BESIDE, {})
    older = (table and table.entry(test.name)) or beside.get("series") != known.series
    return OLDER if older else ""
