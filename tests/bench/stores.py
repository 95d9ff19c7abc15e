"""SQLite beside a real PostgreSQL on this machine, for the same calls: `python tests/bench/stores.py [TESTS] [RUNS]`.

Both write to a disk that is waited for. Ratios are of the medians of rounds.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdevops.results.listing import listed
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.occurrences import occurrences
from kdevops.results.store import PlannedRow, Store
from tests.support.postgresql import Cluster

ROUNDS = 5
ONE_BY_ONE = 300


def main() -> None:
    tests, runs = map(int, [*sys.argv[1:3], *["30000", "10"][len(sys.argv[1:3]) :]])
    directory = Path(tempfile.mkdtemp(prefix="kdevops-bench-"))
    cluster = Cluster(directory, fsync=True)
    try:
        os.environ.pop("KDEVOPS_STORE", None)
        file = measured(directory / "file", tests, runs)
        os.environ["KDEVOPS_STORE"] = cluster.fresh()
        team = measured(directory / "team", tests, runs)
    finally:
        cluster.stop()
        shutil.rmtree(directory)
    for what, seconds in file.items():
        print(f"{what:<58} SQLite {seconds * 1000:9.2f} ms   PostgreSQL {team[what] / seconds:6.2f} times as long")


def measured(directory: Path, tests: int, runs: int) -> dict[str, float]:
    """The median seconds of each call, with a store of `runs` runs."""
    directory.mkdir(mode=0o755)
    plan = [PlannedRow(TestId("fstests", "xfs_4k", f"generic/{n:05}"), 45.0) for n in range(tests)]
    found: dict[str, list[float]] = {}

    def take(what: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        found.setdefault(what, []).append(time.perf_counter() - began)
        return result

    with Store(directory) as store:
        for _ in range(runs):
            whole(store, plan, take)
        short = store.create_run("xfs", plan[:ONE_BY_ONE], {})
        for row in plan[:ONE_BY_ONE]:
            take("a test starts, and its result is written", lambda row=row: one(store, short, row.id))  # type: ignore[misc]
        store.finish(short)
    for _ in range(ROUNDS):
        with take("open the store", lambda: Store(directory)) as store:
            take("list the runs", lambda: listed(store))
            take(
                "open a run: its record, plan and outcomes",
                lambda: (store.run(1), store.planned_outcomes(1, brief=True)),
            )
            take("history of a test", lambda: occurrences(store, [plan[tests // 2].id]))
            take("usual durations, for a plan", lambda: store.history("xfs", [row.id for row in plan]))
    return {what: statistics.median(seconds) for what, seconds in found.items()}


def whole(store: Store, plan: list[PlannedRow], take: Callable[[str, Callable[[], Any]], Any]) -> None:
    """A run whose results are written in one transaction, as those of imports."""

    def write() -> None:
        with store.together():
            run = store.create_run("xfs", plan, {"kernel": {"release": "6.1.9"}})
            ends = (Status.FAIL if number % 97 == 0 else Status.PASS for number in range(len(plan)))
            store.all_ended(
                run, {row.id: Outcome(end, 1.5, guest="xfs-1") for row, end in zip(plan, ends, strict=True)}
            )
            store.finish(run)

    take(f"write {len(plan)} results at once", write)


def one(store: Store, run: int, test: TestId) -> None:
    store.started(run, test, "xfs-1")
    store.ended(run, test, Outcome(Status.PASS, 1.5, guest="xfs-1"))


if __name__ == "__main__":
    main()
