"""Select tests of an fstests tree for a lab, as an explicit list for each profile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import filter as fitting

from kdevops.errors import UserError
from kdevops.lab.fstests import Fstests
from kdevops.results.model import TestId
from kdevops.suites.base import PlannedTest
from kdevops.suites.fstests.catalogue import Catalogue
from kdevops.text import nearest

SUITE = "fstests"
DEFAULT_GROUP = "auto"
"""What `check` runs by default."""
SOAK_GROUP = "soak"
"""Its tests run for SOAK_DURATION."""


def choose(catalogue: Catalogue, fstests: Fstests, fs: str) -> tuple[str, ...]:
    """The tests to run on the file system `fs`, sorted as in `check`, each once regardless of `count`.

    `groups` and `tests` add up, as in `check`; excluded tests are removed, and so are all up to `start_after`. Tests
    for other file systems are ignored.

    Raises UserError for a test or a group that the tree does not have, and if nothing is left.
    """
    _check_names(catalogue, fstests)
    groups = fstests.groups or (() if fstests.tests else (DEFAULT_GROUP,))
    chosen = _in_groups(catalogue, groups, fs) | (_named(catalogue.tests, fstests.tests) & {*catalogue.asked_for(fs)})
    _check_left(chosen, f"on {fs}: {_told(groups, fstests.tests)} has no test for it")
    chosen -= _in_groups(catalogue, fstests.exclude_groups, fs) | _named(catalogue.tests, fstests.exclude)
    _check_left(chosen, f"on {fs}: {_told(fstests.exclude_groups, fstests.exclude)} excludes every test")
    left = tuple(test for test in catalogue.tests if test in chosen and test > (fstests.start_after or ""))
    _check_left(left, f"on {fs}: no chosen test comes after start_after ({fstests.start_after})")
    return left


def plan(
    catalogue: Catalogue, fstests: Fstests, profile: str, fs: str, known: Mapping[str, str]
) -> tuple[PlannedTest, ...]:
    """The chosen tests of a profile with their groups, each `count` times in a row.

    `known` has the reasons of tests that are expected to fail. Raises UserError as `choose` does.
    """
    return tuple(
        PlannedTest(
            TestId(SUITE, profile, test).repeat(number),
            fstests.timeout,
            groups=catalogue.tests[test],
            known=known.get(test, ""),
            soak=fstests.soak if SOAK_GROUP in catalogue.tests[test] else 0.0,
        )
        for test in choose(catalogue, fstests, fs)
        for number in range(1, fstests.count + 1)
    )


def _in_groups(catalogue: Catalogue, groups: Iterable[str], fs: str) -> set[str]:
    """The tests of these groups. A group with a directory (selftest/selftest) requests that directory by name."""
    return {
        test
        for group in groups
        for test in (catalogue.asked_for(fs) if "/" in group else catalogue.of(fs))
        if catalogue.belongs(test, group)
    }


def _named(names: Iterable[str], patterns: Iterable[str]) -> set[str]:
    return {name for pattern in patterns for name in fitting(names, pattern)}


def _check_names(catalogue: Catalogue, fstests: Fstests) -> None:
    names, groups = tuple(catalogue.tests), catalogue.groups
    for where, patterns in (("tests", fstests.tests), ("exclude", fstests.exclude)):
        for pattern in patterns:
            if not fitting(names, pattern):
                raise UserError(f"suites.fstests.{where}: this fstests has no test {pattern}{nearest(pattern, names)}")
    for where, wanted in (("groups", fstests.groups), ("exclude_groups", fstests.exclude_groups)):
        for group in wanted:
            if group not in groups:
                close = nearest(group, sorted(groups))
                raise UserError(f"suites.fstests.{where}: this fstests has no group {group}{close}")
    if fstests.start_after and fstests.start_after not in catalogue.tests:
        close = nearest(fstests.start_after, names)
        raise UserError(f"suites.fstests.start_after: this fstests has no test {fstests.start_after}{close}")


def _check_left(tests: Collection[str], why: str) -> None:
    if not tests:
        raise UserError(
            f"suites.fstests: there is nothing to run {why}",
            hint="select other tests, or remove the profiles of that file system",
        )


def _told(groups: Iterable[str], tests: Iterable[str]) -> str:
    return " or ".join([*(f"group {group}" for group in groups), *tests])
