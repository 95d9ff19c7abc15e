"""Whether the store has already what a run of the baseline kernel would say."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kdevops.lab.model import Lab
from kdevops.results.model import RunState, TestId
from kdevops.results.store import JSON, PlannedRow, Run, Store

# What only chooses tests: the plan has it. An expunge list changes the order and deadlines, not what is tested.
_CHOOSES: Mapping[str, frozenset[str]] = {
    "commands": frozenset({"tests"}),
    "selftests": frozenset({"targets", "tests", "skip"}),
    "kunit": frozenset({"suites"}),
    "fstests": frozenset(
        {"profiles", "groups", "exclude_groups", "tests", "exclude", "start_after", "count", "known", "expunges"}
    ),
}
_MATTERS_NOT = {"guests": frozenset({"count"}), "provider": frozenset({"ssh_port", "boot_timeout"})}


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
    scripts = (lab["suites"]["commands"] or {}).get("tests", {})
    return [
        record["kernel"]["key"],
        lab["kernel"]["cmdline"],
        image.get("key") or image,
        {name: made for name, made in record["suites"].items() if name in suites},
        record.get("known", {}).get("left_out"),
        *(_without(lab[part], fields) for part, fields in _MATTERS_NOT.items()),
        *(_without(lab["suites"].get(suite), fields) for suite, fields in _CHOOSES.items()),
        {test.name: scripts.get(test.name) for test in tests if test.suite == "commands"},
    ]


def _without(section: Mapping[str, Any] | None, fields: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in (section or {}).items() if name not in fields}
