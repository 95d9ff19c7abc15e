"""The lab's selection among a suite's tests, as the reason why a test was not planned.

A suite that no longer exists, or cannot read the record of another version, explains nothing: its tests that are not
planned were lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdevops.results.model import TestId

PASSED_OVER = "passed_over"
"""In a run's record: `{suite: [test]}`, available tests that were not chosen for at least one profile."""


def chosen_otherwise(record: Mapping[str, Any], test: TestId) -> str:
    """The lab's choice, from a run's record, that excludes a test; "" if none does."""
    from kdevops.suites.registry import kind_of_tests  # heavy, and most runs left nothing out

    kind = kind_of_tests(test.suite)
    if kind is None:
        return ""
    passed_over = record.get(PASSED_OVER, {}).get(test.suite, ())
    section = record["lab"]["suites"].get(kind.name) or {}
    try:
        return kind.not_chosen(section, test.name, passed_over)
    except (KeyError, TypeError):  # another version of the suite made the record
        return ""
