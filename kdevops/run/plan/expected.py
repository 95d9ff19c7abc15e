"""How long tests will take: what they took before, else what tests like them took."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from kdevops.results.model import TestId
from kdevops.suites.base import PlannedTest

PERCENTILE = 90
"""Of the durations of its group, what a test that nobody has seen is expected to take: rather too long, begun early,
than too short, begun last."""
FEW = 5
"""Durations below which a group says little."""


def expected_seconds(tests: Sequence[PlannedTest], known: Mapping[TestId, float]) -> Mapping[TestId, float]:
    """Seconds each test is expected to take; tests of which nothing can be said are absent.

    `known` has what tests took before. A test that only other profiles have run is expected to take what it took the
    slowest of them. A test that nobody has seen gets the 90th percentile (nearest rank) of its group: of its several
    groups that with the fewest known durations, for it says most about the test, as long as there are not too few.
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
    """The seconds of the most telling of these groups, each with how many durations it has."""
    if enough := [group for group in groups if group[0] >= FEW]:
        return min(enough)[1]
    return max(groups)[1] if groups else None


def _percentile(values: list[float]) -> float:
    values.sort()
    return values[math.ceil(len(values) * PERCENTILE / 100) - 1]
