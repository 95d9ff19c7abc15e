"""Decisions as reruns leave them, for tests of what comes of them."""

from __future__ import annotations

from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision
from kdevops.results.model import TestId

REGRESSED = Decided(Decision.REGRESSED, Pairs(only_now=6))
FLAKE = Decided(Decision.FLAKE, Pairs(neither=16))
OPEN = Decided(Decision.OPEN, Pairs(only_now=1, neither=1))


def regressed(*tests: TestId) -> dict[TestId, Decided]:
    """The decisions of `judge_run`, with these tests regressed."""
    return dict.fromkeys(tests, REGRESSED)
