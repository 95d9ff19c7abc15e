"""The same tests of a real fstests tree by `check` in a guest, typed by hand, and by `kdevops run` in the same guest.

`python tests/bench/fstests.py TREE [TEST...] [FIELD=VALUE...]`; TREE is a git tree of fstests, fields are those of a lab.
The guest is up and warm for both, so what is compared is what following, keeping and storing every test costs. A second
figure: two guests against one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
NUMBERS = (1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 23, 24, 25)
TESTS = [*(f"generic/{number:03}" for number in NUMBERS), "xfs/001", "xfs/004", "xfs/008"]


def main() -> None:
    tree, words = Path(sys.argv[1]).absolute(), sys.argv[2:]
    tests = [word for word in words if "=" not in word] or TESTS
    settings = [part for word in words if "=" in word for part in ("--set", word)]
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        os.environ["KDEVOPS_STATE"] = directory
        lab = Path(directory) / "bench.yaml"
        lab.write_text(
            f"name: bench\nguests: {{count: 2, cpus: 1, memory: 2GiB, disks: [{{size: 10GiB, count: 3}}]}}\n"
            f"suites: {{fstests: {{profiles: [xfs_crc], source: {{path: {tree}}}, tests: {json.dumps(tests)}}}}}\n"
        )
        one = ("--set", "guests.count=1", *settings)
        kdevops("run", lab, *one, "--keep", "--only", tests[0])
        ours = timed(lambda: kdevops("run", lab, *one, "--keep"))
        manual = timed(lambda: run_manually(tests))
        print(
            f"kdevops run : check by hand, {len(tests)} tests in one guest   {ours / manual:.3f}   ({ours:.0f} s, {manual:.0f} s)"
        )
        kdevops("down", lab, *one)
        single = timed(lambda: kdevops("run", lab, *one))
        double = timed(lambda: kdevops("run", lab, *settings))
        print(
            f"2 guests : 1 guest, the same tests, boots included   {double / single:.3f}   ({double:.0f} s, {single:.0f} s)"
        )


def run_manually(tests: list[str]) -> None:
    """What somebody types who has logged in."""
    script = "cd /opt/fstests-* && HOST_OPTIONS=/run/kdevops/fstests/local.config ./check -s xfs_crc -R xunit"
    said = kdevops("ssh", "bench-1", f"{script} {' '.join(tests)}")
    if "Ran:" not in said:
        sys.exit(f"check did not run: {said[-2000:]}")


def kdevops(*arguments: str | Path) -> str:
    argv = [sys.executable, "-m", "kdevops", *map(str, arguments)]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode not in {0, 1}:
        sys.exit(f"{' '.join(argv)} answered {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def timed(work: object) -> float:
    started = time.monotonic()
    work()  # type: ignore[operator]
    return time.monotonic() - started


if __name__ == "__main__":
    main()
