"""The work queue: leases pull from it, longest expected tests first, in shrinking chunks.

Tests that a harness runs in batches wait in pools, one per suite and profile. A lease pulls the longest of them and as many
more as make up a share of what is left; shares shrink with what is left, so that all guests finish at about the same time
(guided self-scheduling). Known failures come last.
"""

from __future__ import annotations

import asyncio
import bisect
import heapq
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow

UNKNOWN_SECONDS = 10.0
"""Expected seconds of a test that has never run."""
SHARES = 1.25
"""The number of chunks that a guest's part of the remaining work is divided into. Work held back compensates for wrong
estimates; every further chunk costs a start of the harness, 6 s in an emulated guest."""
LEAST_CHUNK = 10.0
"""Least expected seconds of a chunk: for less, starting the harness costs more than finishing evenly gains."""
MAX_CHUNK = 200
"""Most tests of one chunk, because their names are passed on a command line."""


@dataclass(frozen=True, slots=True)
class Work:
    """A unit of work for a guest: tests of one suite. `boot` tests run while the guest boots, so they come first.

    `lost`: how often it was restarted after infrastructure trouble. `last`: runs after all other work.
    """

    suite: str
    tests: tuple[TestId, ...]
    expected: float = UNKNOWN_SECONDS
    boot: bool = False
    lost: int = 0
    last: bool = False

    def again(self) -> Work:
        """The same work after infrastructure trouble."""
        return replace(self, lost=self.lost + 1)

    @property
    def rank(self) -> int:
        """Work of a lower rank comes first."""
        return 0 if self.boot else 2 if self.last else 1


@dataclass
class _Pool:
    """Tests of one suite and profile, sorted by expected seconds, the longest last; among equals the first added is last."""

    suite: str
    rank: int
    items: list[tuple[float, int, TestId]] = field(default_factory=list)

    def cut(self, seconds: float) -> list[tuple[float, int, TestId]]:
        """Take the longest tests, up to `seconds` in total but at least one; no two repeats of the same test."""
        taken: list[tuple[float, int, TestId]] = []
        names: set[str] = set()
        again: list[tuple[float, int, TestId]] = []
        total = 0.0
        while self.items and len(taken) < MAX_CHUNK and (not taken or total + self.items[-1][0] <= seconds):
            item = self.items.pop()
            plain = item[2].plain.name
            if plain in names:
                again.append(item)
                continue
            taken.append(item)
            names.add(plain)
            total += item[0]
        self.items += reversed(again)
        return taken


@dataclass
class WorkQueue:
    """The queue from which `guests` leases pull. Work to be repeated is put back for any lease."""

    guests: int = 1
    _heap: list[tuple[int, float, int, Work]] = field(default_factory=list)
    _pools: dict[tuple[str, str, bool], _Pool] = field(default_factory=dict)
    _pooled_seconds: float = 0.0
    _count: int = 0
    _busy: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, work: Work) -> None:
        """Add work, or give it back; it is pulled as a whole."""
        self._count += 1
        heapq.heappush(self._heap, (work.rank, -work.expected, self._count, work))
        self._changed.set()

    def pool(self, test: TestId, expected: float | None, *, last: bool = False) -> None:
        """Add a test that may share a chunk with others of its suite and profile, or give it back."""
        seconds = UNKNOWN_SECONDS if expected is None else expected
        pool = self._pools.setdefault((test.suite, test.profile, last), _Pool(test.suite, 2 if last else 1))
        self._count += 1
        bisect.insort(pool.items, (seconds, -self._count, test))
        self._pooled_seconds += seconds
        self._changed.set()

    def drop(self, suite: str, profile: str) -> tuple[TestId, ...]:
        """Remove and return all tests of this suite and profile that wait in a pool."""
        dropped: list[TestId] = []
        for last in (False, True):
            if pool := self._pools.pop((suite, profile, last), None):
                dropped += [item[2] for item in pool.items]
                self._pooled_seconds -= sum(item[0] for item in pool.items)
        return tuple(dropped)

    def pull(self) -> Work | None:
        """The next work; None if there is none at the moment."""
        pools = [pool for pool in self._pools.values() if pool.items]
        pool = min(pools, key=lambda each: (each.rank, -each.items[-1][0]), default=None)
        if pool and (not self._heap or (pool.rank, -pool.items[-1][0]) < self._heap[0][:2]):
            share = self._share()
            taken = pool.cut(share)
            seconds = sum(item[0] for item in taken)
            self._pooled_seconds -= seconds
            return Work(pool.suite, tuple(item[2] for item in taken), seconds, last=pool.rank == 2)
        return heapq.heappop(self._heap)[-1] if self._heap else None

    def _share(self) -> float:
        """Expected seconds of the next chunk; unlimited for a single guest."""
        if self.guests <= 1:
            return math.inf
        return max(LEAST_CHUNK, self._pooled_seconds / (SHARES * self.guests))

    async def take(self) -> Work | None:
        """The next work; waits while other leases may still give some back. None when all is done.

        The caller must call `done` after it has given back what is left of the work.
        """
        while True:
            self._changed.clear()
            if work := self.pull():
                self._busy += 1
                return work
            if not self._busy:
                self._changed.set()
                return None
            await self._changed.wait()

    def done(self) -> None:
        """Work that was taken is finished."""
        self._busy -= 1
        self._changed.set()

    def __len__(self) -> int:
        return len(self._heap) + sum(len(pool.items) for pool in self._pools.values())


def queue_of(
    rows: Iterable[PlannedRow],
    guests: int = 1,
    *,
    boot_suites: Collection[str] = (),
    chunk_suites: Collection[str] = (),
    last: Collection[TestId] = (),
) -> WorkQueue:
    """Plan rows as work: a boot suite's tests as one unit, tests of a harness in pools, others one by one."""
    queue = WorkQueue(guests)
    at_boot: dict[str, list[PlannedRow]] = {}
    for row in rows:
        if row.id.suite in boot_suites:
            at_boot.setdefault(row.id.suite, []).append(row)
        elif row.id.suite in chunk_suites:
            queue.pool(row.id, row.expected, last=row.id in last)
        else:
            seconds = UNKNOWN_SECONDS if row.expected is None else row.expected
            queue.put(Work(row.id.suite, (row.id,), seconds, last=row.id in last))
    for suite, members in at_boot.items():
        expected = sum(row.expected or UNKNOWN_SECONDS for row in members)
        queue.put(Work(suite, tuple(row.id for row in members), expected, boot=True))
    return queue
