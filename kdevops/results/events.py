"""Events of a run, from the runner to displays; the store, not these, is the record."""

from __future__ import annotations

from dataclasses import dataclass

from kdevops.results.model import Outcome, TestId


@dataclass(frozen=True, slots=True)
class GuestChanged:
    """A guest's state: "booting", "ready", "resetting", "down"; `detail` is one line."""

    guest: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TestStarted:
    """A test was given to a guest."""

    __test__ = False

    test: TestId
    guest: str


@dataclass(frozen=True, slots=True)
class TestEnded:
    """A test's outcome is in the store."""

    __test__ = False

    test: TestId
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Note:
    """A message for the user: an infrastructure problem that was retried, a warning."""

    text: str


RunEvent = GuestChanged | TestStarted | TestEnded | Note
