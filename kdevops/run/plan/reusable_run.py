"""Finds a stored run that makes another run of the baseline kernel unnecessary."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kdevops.lab.model import Lab
from kdevops.results.imported import is_bundled
from kdevops.results.model import RunState, TestId
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.run.plan.record import OUTSIDE
from kdevops.suites.registry import kind_of_tests

# Fields of a lab, by path, that do not affect how a test ends. All others are compared, including those that later
# versions add: an unnecessary run costs time, but a missing one costs the answer.
_MATTERS_NOT: Mapping[str, frozenset[str]] = {
    # The kernel's key covers all but its parameters; the other variant, the baseline files and the rules of the verdict
    # are not part of a run.
    "": frozenset({"name", "compare", "baseline", "verdict"}),
    "kernel": frozenset({"source", "patches", "config", "compiler", "jobs"}),
    "guests": frozenset({"count"}),
    "provider": frozenset({"ssh_port", "boot_timeout"}),
}
_SUITES = "suites"
_DIVIDED = frozenset({"", _SUITES})
"""Paths whose parts are compared one by one; a part that is null counts as absent."""


def reusable_run(store: Store, lab: Lab, rows: Sequence[PlannedRow], record: Mapping[str, JSON]) -> Run | None:
    """The newest complete run of the lab that ran these tests under the conditions of `record`; None if there is none.

    The conditions: the same kernel and parameters, image, guests and suites, and the same scripts for tests that are scripts.
    """
    wanted = {row.id for row in rows}
    conditions = _conditions(json.loads(json.dumps(record)), wanted)
    for run in store.runs(lab.name):
        if run.state is not RunState.COMPLETE or "lab" not in run.record or is_bundled(run):
            continue
        if _conditions(run.record, wanted) == conditions and wanted <= {row.id for row in store.plan(run.id)}:
            return run
    return None


def _conditions(record: Mapping[str, Any], tests: Collection[TestId]) -> list[object]:
    """Everything that affects how these tests end, except chance."""
    lab, image, suites = record["lab"], record["image"], {test.suite for test in tests}
    return [
        record["kernel"]["key"],
        image.get("key") or image,
        {name: made for name, made in record["suites"].items() if name in suites},
        record.get("known", {}).get("left_out"),
        _compared(lab, ""),
        {test: _definition(lab, test) for test in tests},
        record.get(OUTSIDE) or {},
    ]


def _definition(lab: Mapping[str, Any], test: TestId) -> object:
    """A test's definition in its suite; equal to nothing if another version of the suite made the record."""
    kind = kind_of_tests(test.suite)
    try:
        return kind.definition(lab[_SUITES].get(kind.name) or {}, test.name) if kind else None
    except (KeyError, TypeError):
        return object()


def _compared(section: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The fields of a section of the lab that must be the same; fields that do not matter are removed, also in parts."""
    kept = {name: value for name, value in section.items() if name not in _matters_not(path)}
    if path not in _DIVIDED:
        return kept
    parts = {name: f"{path}.{name}".lstrip(".") for name in kept}
    return {
        name: _compared(value, parts[name]) if isinstance(value, Mapping) else value
        for name, value in kept.items()
        if value is not None
    }


def _matters_not(path: str) -> frozenset[str]:
    """The fields that do not matter. A suite's choice of tests is in the plan; for an unknown suite every field counts."""
    if not path.startswith(f"{_SUITES}."):
        return _MATTERS_NOT.get(path, frozenset())
    kind = kind_of_tests(path.removeprefix(f"{_SUITES}."))
    return kind.chooses if kind else frozenset()
