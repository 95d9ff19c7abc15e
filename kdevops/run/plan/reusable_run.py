"""Whether the store has already what a run of the baseline kernel would say."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kdevops.lab.model import Lab
from kdevops.results.model import RunState, TestId
from kdevops.results.store import JSON, PlannedRow, Run, Store

# What of a lab says nothing of how a test ends, by path. All that is not named here is compared, also what a later version
# adds: a run too many costs time, and one that was not done costs the answer.
_MATTERS_NOT: Mapping[str, frozenset[str]] = {
    # The kernel's key has all but its parameters; the other arm and the files to compare with are no part of a run.
    "": frozenset({"name", "compare", "baseline"}),
    "kernel": frozenset({"source", "patches", "config", "compiler", "jobs"}),
    "guests": frozenset({"count"}),
    "provider": frozenset({"ssh_port", "boot_timeout"}),
    # What only chooses tests: the plan has it. An expunge list changes the order and deadlines, not what is tested.
    "suites.commands": frozenset({"tests"}),
    "suites.selftests": frozenset({"targets", "tests", "skip"}),
    "suites.kunit": frozenset({"suites"}),
    "suites.fstests": frozenset(
        {"profiles", "groups", "exclude_groups", "tests", "exclude", "start_after", "count", "known", "expunges"}
    ),
}
_DIVIDED = frozenset({"", "suites"})
"""Paths whose parts are compared one by one; a part that is not asked for is as one that is not there."""


def covering(store: Store, lab: Lab, rows: Sequence[PlannedRow], record: Mapping[str, JSON]) -> Run | None:
    """The newest complete run of the lab in which these tests were run under the conditions of `record`, None for none.

    The conditions: the same kernel and parameters, image, guests and suites, and the same scripts where tests are such.
    """
    wanted = {row.id for row in rows}
    conditions = _conditions(json.loads(json.dumps(record)), wanted)
    for run in store.runs(lab.name):
        if run.state is not RunState.COMPLETE or "lab" not in run.record:
            continue
        if _conditions(run.record, wanted) == conditions and wanted <= {row.id for row in store.plan(run.id)}:
            return run
    return None


def _conditions(record: Mapping[str, Any], tests: Collection[TestId]) -> list[object]:
    """What decides how these tests end, but for chance."""
    lab, image, suites = record["lab"], record["image"], {test.suite for test in tests}
    scripts = (lab["suites"].get("commands") or {}).get("tests", {})
    return [
        record["kernel"]["key"],
        image.get("key") or image,
        {name: made for name, made in record["suites"].items() if name in suites},
        record.get("known", {}).get("left_out"),
        _compared(lab, ""),
        {test.name: scripts.get(test.name) for test in tests if test.suite == "commands"},
    ]


def _compared(section: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What of a section of the lab is to be the same, the parts of it without what matters not in them."""
    kept = {name: value for name, value in section.items() if name not in _MATTERS_NOT.get(path, ())}
    if path not in _DIVIDED:
        return kept
    parts = {name: f"{path}.{name}".lstrip(".") for name in kept}
    return {
        name: _compared(value, parts[name]) if isinstance(value, Mapping) else value
        for name, value in kept.items()
        if value is not None
    }
