"""What of a lab chooses among the tests that a suite has, and so explains why one was not planned.

A suite without a line here explains nothing: a test of it that is not planned any more was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from kdevops.results.model import TestId

PASSED_OVER = "passed_over"
"""Of a run's record: `{suite: [test]}`, tests that are there to be chosen and were not, for one profile at least."""
_Section = Mapping[str, Any]


def chosen_otherwise(record: Mapping[str, Any], test: TestId) -> str:
    """The choice of the lab in a run's record that leaves a test out, "" where none does."""
    if test.suite not in _CHOICES:
        return ""
    field, choice = _CHOICES[test.suite]
    passed_over = record.get(PASSED_OVER, {}).get(test.suite, ())
    return choice({**(record["lab"]["suites"].get(field) or {}), PASSED_OVER: passed_over}, test.name)


def _selftests(section: _Section, name: str) -> str:
    if name.partition(":")[0] not in section["targets"]:
        return "not of suites.selftests.targets"
    if _fits(name, section["skip"]):
        return "suites.selftests.skip"
    return "not of suites.selftests.tests" if section["tests"] and not _fits(name, section["tests"]) else ""


def _kunit(section: _Section, name: str) -> str:
    return "not of suites.kunit.suites" if section["suites"] and not _fits(name, section["suites"]) else ""


def _fstests(section: _Section, name: str) -> str:
    if _fits(name, section["exclude"]):
        return "suites.fstests.exclude"
    if section["start_after"] and name <= section["start_after"]:
        return "suites.fstests.start_after"
    if name in section[PASSED_OVER]:
        return "not of what suites.fstests chooses"
    by_name_alone = section["tests"] and not section["groups"]
    return "not of suites.fstests.tests" if by_name_alone and not _fits(name, section["tests"]) else ""


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


_CHOICES: Mapping[str, tuple[str, Callable[[_Section, str], str]]] = {
    "selftests": ("selftests", _selftests),
    "kunit": ("kunit", _kunit),
    "kunit-modules": ("kunit", _kunit),
    "fstests": ("fstests", _fstests),
}
"""By suite: the field of `suites` in lab.yaml that asks for it, and what of that chooses."""
