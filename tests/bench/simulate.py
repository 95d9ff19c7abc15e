"""The real queue with a virtual clock: what many guests would make of an XFS maintainer's regression run.

The workload has the published shape: 24 profiles of 1,154 tests, 27,696 in all, 6,678 of them skipped, 127 guest-hours,
few tests that take very long. What is printed is the makespan as a ratio to what no schedule can beat: the sum of all
tests divided by the guests, or the longest test.
"""

from __future__ import annotations

import heapq
import random

from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow
from kdevops.run.drive.work import queue_of

PROFILES, TESTS, SKIPPED, SECONDS = 24, 1154, 6678, 127 * 3600.0
START_UP = 2.0
"""Seconds that a start of the harness costs on hardware."""


def workload() -> dict[TestId, float]:
    """True seconds of every test."""
    chance = random.Random(1)
    tests = [TestId("fstests", f"p{profile}", f"generic/{n:03}") for profile in range(PROFILES) for n in range(TESTS)]
    skipped = set(chance.sample(range(len(tests)), SKIPPED))
    raw = [0.0 if number in skipped else chance.lognormvariate(0, 1.6) for number in range(len(tests))]
    scale = SECONDS / sum(raw)
    return {test: seconds * scale for test, seconds in zip(tests, raw, strict=True)}


def makespan(truth: dict[TestId, float], guests: int, *, noise: float) -> float:
    """Seconds until the last guest is done, when what was expected of each test is off by up to `noise`."""
    chance = random.Random(2)
    rows = [PlannedRow(test, 1.0, seconds * chance.uniform(1 - noise, 1 + noise)) for test, seconds in truth.items()]
    queue = queue_of(rows, guests, chunk_suites={"fstests"})
    idle = [(0.0, number) for number in range(guests)]
    heapq.heapify(idle)
    end = 0.0
    while work := queue.pull():
        now, number = heapq.heappop(idle)
        now += START_UP + sum(truth[test] for test in work.tests)
        end = max(end, now)
        heapq.heappush(idle, (now, number))
    return end


def main() -> None:
    truth = workload()
    longest = max(truth.values())
    for guests in (10, 100, 1000):
        floor = max(sum(truth.values()) / guests, longest)
        for noise in (0.0, 0.3):
            ratio = makespan(truth, guests, noise=noise) / floor
            tell(f"makespan : floor, {guests:5} guests, {noise:.0%} off", f"{ratio:6.3f}", f"floor {floor:.0f} s")


def tell(what: str, figure: str, detail: str) -> None:
    """In the columns of the other figures."""
    print(f"{what:42} {figure}   ({detail})", flush=True)


if __name__ == "__main__":
    main()
