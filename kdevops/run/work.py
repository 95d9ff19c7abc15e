"""What is left to do, and who does it next: a pull queue, longest expected first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow

UNKNOWN_SECONDS = 10.0
"""What a test is expected to take before anybody has seen it run."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a guest is given at a time: tests of one suite. `boot` tests run while the guest boots, so they come first.

    `lost` counts how often the guest was lost under it for reasons that are not the tests'.
    """

    suite: str
    tests: tuple[TestId, ...]
    expected: float = UNKNOWN_SECONDS
    boot: bool = False
    lost: int = 0

    def again(self) -> Work:
        """The same after infrastructure trouble."""
        return replace(self, lost=self.lost + 1)


@dataclass
class WorkQueue:
    """Pulled from by every lease. Work that must be done again is put back and outlives whoever lost it."""

    _heap: list[tuple[bool, float, int, Work]] = field(default_factory=list)
    _count: int = 0

    @classmethod
    def of(cls, work: Iterable[Work]) -> WorkQueue:
        """A queue of all this work."""
        queue = cls()
        for each in work:
            queue.put(each)
        return queue

    def put(self, work: Work) -> None:
        """Add work, or give it back."""
        self._count += 1
        heapq.heappush(self._heap, (not work.boot, -work.expected, self._count, work))

    def pull(self) -> Work | None:
        """The next piece, None when there is none."""
        return heapq.heappop(self._heap)[-1] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)


def divide(rows: Iterable[PlannedRow], boot_suites: frozenset[str]) -> list[Work]:
    """Plan rows as work: all tests of a suite that runs at boot in one piece, of every other suite one by one."""
    work: list[Work] = []
    at_boot: dict[str, list[PlannedRow]] = {}
    for row in rows:
        if row.id.suite in boot_suites:
            at_boot.setdefault(row.id.suite, []).append(row)
        else:
            work.append(Work(row.id.suite, (row.id,), UNKNOWN_SECONDS if row.expected is None else row.expected))
    for suite, members in at_boot.items():
        expected = sum(row.expected or UNKNOWN_SECONDS for row in members)
        work.append(Work(suite, tuple(row.id for row in members), expected, boot=True))
    return work
