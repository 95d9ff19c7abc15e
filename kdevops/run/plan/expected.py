"""Expected durations of tests: their earlier duration, else that of similar tests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from kdevops.results.model import TestId
from kdevops.suites.base import PlannedTest

PERCENTILE = 90
"""Percentile of the group's durations that a test that has never run is expected to take. Too long is better than too
short: the test then starts early instead of last."""
FEW = 5
"""A group with fewer durations says little."""


def expected_seconds(tests: Sequence[PlannedTest], known: Mapping[TestId, float]) -> Mapping[TestId, float]:
    """Seconds each test is expected to take; tests without any estimate are absent.

    `known`: earlier durations. A test that ran only in other profiles is expected to take as long as in the slowest of
    them. A test that has never run gets the 90th percentile (nearest rank) of one of its groups: the one with the fewest
    known durations, because it says most about the test, if there are at least FEW.
    """
    in_profiles: dict[tuple[str, str], float] = {}
    in_group: dict[tuple[str, str], list[float]] = defaultdict(list)
    for test in tests:
        if (seconds := known.get(test.id)) is not None:
            name = (test.id.suite, test.id.plain.name)
            in_profiles[name] = max(seconds, in_profiles.get(name, 0.0))
            for group in test.groups:
                in_group[test.id.suite, group].append(seconds)
    usual = {key: (len(values), _percentile(values)) for key, values in in_group.items()}
    expected = {}
    for test in tests:
        seconds = known.get(test.id, in_profiles.get((test.id.suite, test.id.plain.name)))
        if seconds is None:
            seconds = _of_group([usual[key] for group in test.groups if (key := (test.id.suite, group)) in usual])
        if seconds is not None:
            expected[test.id] = seconds
    return expected


def _of_group(groups: Sequence[tuple[int, float]]) -> float | None:
    """The seconds of the most specific group. Each group is given as (number of durations, seconds)."""
    if enough := [group for group in groups if group[0] >= FEW]:
        return min(enough)[1]
    return max(groups)[1] if groups else None


def _percentile(values: list[float]) -> float:
    values.sort()
    return values[math.ceil(len(values) * PERCENTILE / 100) - 1]
