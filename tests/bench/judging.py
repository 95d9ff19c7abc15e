"""What a verdict and its reports cost: `python tests/bench/judging.py [RESULTS...]`, 30,000 and 300,000 unless given.

Every figure is CPU time and peak memory of a process of its own. The floor is the same process reading the same rows and
files and doing nothing with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.store import JSON, PlannedRow, Store
from kdevops.run.judging import judge

KNOWN = 14_000
"""Lines of the baseline."""
PROFILES = 24
RUNS = 10
"""Runs in the list, each with the results of the run that is judged."""
SUBTESTS = 5
REPORT = "BUG: KASAN: slab-use-after-free in foo+0x1/0x2\n" + " foo+0x1/0x2\n" * 60
NO_DEVICES = "this test requires a valid $SCRATCH_LOGDEV at /dev/loop{}"


def main() -> None:
    for results in map(int, sys.argv[1:] or ("30000", "300000")):
        measure(results)


def measure(results: int) -> None:
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        os.environ["KDEVOPS_STATE"] = directory
        call("make", results)
        print(f"{results} results, {PROFILES} profiles, {KNOWN} lines of baseline", flush=True)
        floor = float(call("floor"))
        cpu, peak = json.loads(call("verdict"))
        tell("open store to verdict", cpu, peak, f"{cpu / floor:.1f} times the floor of {floor:.2f} s")
        baseline = str(Path(directory, "baseline"))
        cpu, peak = command("baseline", "migrate", baseline)
        tell("kdevops baseline migrate", cpu, peak, f"{cpu / KNOWN * 1e6:.0f} µs a line")
        cpu, peak = json.loads(call("verdict"))
        tell("open store to verdict, form of today", cpu, peak, f"{cpu / floor:.1f} times the same floor")
        for arguments in (["1"], ["1", "--json"], ["1", "--format", "junit"], ["1", "--list", "fail"]):
            cpu, peak = command("results", *arguments)
            tell(f"kdevops results {' '.join(arguments)}", cpu, peak, f"{cpu / results * 1e6:.0f} µs a result")
        for what in (["accept", "1"], ["show", baseline], ["explain", "xfs/001", baseline], ["compact", baseline]):
            cpu, peak = command("baseline", *what)
            tell(f"kdevops baseline {what[0]}", cpu, peak, f"{cpu / results * 1e6:.0f} µs a result")
        call("repeat")
        cpu, peak = command("results")
        tell(f"kdevops results, {RUNS} such runs", cpu, peak, f"{cpu / results / RUNS * 1e6:.2f} µs a result")


def call(part: str, *arguments: object) -> str:
    return subprocess.run(
        [sys.executable, __file__, f"--{part}", *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def command(*arguments: str) -> tuple[float, int]:
    """CPU seconds and MiB of `kdevops`."""
    argv = [sys.executable, "-m", "kdevops", *arguments]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        sys.exit(f"{' '.join(argv)} answered {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10


def make(results: int) -> None:
    """A store with one run, and its baseline."""
    directory = Path(os.environ["KDEVOPS_STATE"])
    chance = random.Random(results)
    tests = list(names(results))
    known: dict[str, list[str]] = {}
    for test in chance.sample(tests, min(KNOWN, results)):
        how = chance.choices(["pass=7", "pass=6 fail=1", "fail=7", "skip=7"], [88, 1, 1, 10])[0]
        known.setdefault(test.profile, []).append(f"{test.name}  {how}  {chance.uniform(0, 90):.1f}s\n")
    for profile, lines in known.items():
        path = directory / f"baseline/6.1/fstests/{profile}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(sorted(lines)))
    record: dict[str, JSON] = {
        "kernel": {"release": "6.1.192"},
        "baseline": str(directory / "baseline"),
        "imported": {"directory": "/nowhere", "ran": {}},
    }
    with Store(directory) as store, store.together():
        run = store.create_run("bench", [PlannedRow(test, 600.0) for test in tests], record)
        for test in tests:
            store.ended(run, test, outcome(chance))
        store.finish(run)


def names(results: int) -> Iterator[TestId]:
    for number in range(results):
        profile, test = number % PROFILES, number // PROFILES
        yield TestId("fstests", f"xfs_profile_{profile:02}", f"{('generic', 'xfs')[test % 2]}/{test // 2:03}")


def outcome(chance: random.Random) -> Outcome:
    kind = chance.choices([Status.PASS, Status.SKIP, Status.FAIL, Status.CRASH], [880, 100, 18, 2])[0]
    subtests = tuple(
        Subtest(f"case {number}", Status.PASS) for number in range(SUBTESTS if chance.random() < 0.02 else 0)
    )
    output, guest, seconds = "suites/fstests/1/xfs/001.full", f"bench-{chance.randrange(24)}", chance.uniform(0, 90)
    report = KernelReport("kasan", "KASAN: slab-use-after-free in foo", REPORT.partition("\n")[0], True, REPORT)
    if kind is Status.SKIP:
        return Outcome(kind, reason=NO_DEVICES.format(chance.randrange(9)), guest=guest)
    if kind is Status.FAIL:
        subtests = (Subtest(f"output:{chance.randrange(99):08x}", Status.FAIL),)
        return Outcome(kind, seconds, "output mismatch (see 001.out.bad)", subtests, output, guest=guest)
    if kind is Status.CRASH:
        return Outcome(kind, seconds, report.title, subtests, output, REPORT, guest, reports=(report,))
    return Outcome(kind, seconds, "", subtests, output, guest=guest)


def repeat() -> None:
    """The same run several times."""
    with contextlib.closing(sqlite3.connect(Path(os.environ["KDEVOPS_STATE"], "kdevops.sqlite"))) as sql, sql:
        (last,) = sql.execute("SELECT max(id) FROM planned").fetchone()
        for number in range(1, RUNS):
            copy(sql, "run", {"id": number}, "lab, state, created, ended, record", "id = 1")
            copy(
                sql,
                "planned",
                {"id": number * last, "run": number},
                "position, suite, profile, name, timeout, expected",
                "run = 1",
            )
            copy(
                sql,
                "outcome",
                {"planned": number * last},
                "status, seconds, reason, output, oops, guest, subtests_cut, reports_cut",
                f"planned <= {last}",
            )


def copy(sql: sqlite3.Connection, table: str, raised: dict[str, int], others: str, where: str) -> None:
    """Copy rows, with these columns raised by so much."""
    values = ", ".join(f"{column} + {by}" for column, by in raised.items())
    sql.execute(
        f"INSERT INTO {table} ({', '.join(raised)}, {others}) SELECT {values}, {others} FROM {table} WHERE {where}"
    )


def floor() -> None:
    """Print the CPU seconds of reading rows and files."""
    directory, started = Path(os.environ["KDEVOPS_STATE"]), time.process_time()
    with contextlib.closing(sqlite3.connect(directory / "kdevops.sqlite")) as sql:
        for table in ("outcome JOIN planned ON planned = id", "subtest", "report"):
            sql.execute(f"SELECT * FROM {table}").fetchall()
    for path in directory.glob("baseline/*/*/*.txt"):
        [line.split() for line in path.read_text().splitlines()]
    print(time.process_time() - started)


def verdict() -> None:
    """Print the CPU seconds from opening the store to the verdict, and the MiB of the process."""
    started = time.process_time()
    with Store(Path(os.environ["KDEVOPS_STATE"])) as store:
        assert judge(store, store.run(1)).exit_code == 1
    print(json.dumps([time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10]))


def tell(what: str, cpu: float, peak: int, more: str) -> None:
    print(f"{what:40} {cpu:6.2f} s of CPU {peak:6} MiB   {more}", flush=True)


_PARTS = {"--make": lambda: make(int(sys.argv[2])), "--repeat": repeat, "--floor": floor, "--verdict": verdict}

if __name__ == "__main__":
    _PARTS.get(sys.argv[1] if len(sys.argv) > 1 else "", main)()
