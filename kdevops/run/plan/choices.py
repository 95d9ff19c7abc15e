"""What of a lab chooses among the tests that a suite has, and so explains why one was not planned.

A suite that is not there any more, or that cannot read what another version of it recorded, explains nothing: a test of it
that is not planned was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdevops.results.model import TestId
from kdevops.suites.registry import kind_of_tests

PASSED_OVER = "passed_over"
"""Of a run's record: `{suite: [test]}`, tests that are there to be chosen and were not, for one profile at least."""


def chosen_otherwise(record: Mapping[str, Any], test: TestId) -> str:
    """The choice of the lab in a run's record that leaves a test out, "" where none does."""
    kind = kind_of_tests(test.suite)
    if kind is None:
        return ""
    passed_over = record.get(PASSED_OVER, {}).get(test.suite, ())
    section = record["lab"]["suites"].get(kind.name) or {}
    try:
        return kind.not_chosen(section, test.name, passed_over)
    except (KeyError, TypeError):  # another version of the suite made the record
        return ""
