"""What it costs to look up known failures in expunge lists: `python tests/bench/lookups.py [TREE]`.

12,000 lookups of a section on a kernel, each of all its tests, against the floor: reading every list once and splitting its
lines. Without a TREE, which may be upstream's workflows/fstests/expunges, one of its size is made up.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from itertools import islice, product
from pathlib import Path

from kdevops.suites.fstests.expunges import Expunges
from kdevops.suites.fstests.profiles import load_profiles

LOOKUPS = 12_000
LISTS, ENTRIES, KERNELS = 774, 17, 138
NOTES = (
    "",
    "",
    "",
    " # F:1/11",
    " # hung task https://bugs.example/1",
    " # failure rate is about 1/30",
    " # flaky test",
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        tree = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(directory)
        if len(sys.argv) == 1:
            make(tree)
        lists = [path for path in tree.rglob("*.txt") if path.is_file()]
        started = time.process_time()
        lines = sum(len([line.split("#") for line in path.read_text().splitlines()]) for path in lists)
        floor = time.process_time() - started
        started, found, expunges = time.process_time(), 0, Expunges([tree])
        for release, (name, profile) in islice(asked(tree), LOOKUPS):
            found += sum(bool(each.reason) for each in expunges.known(release, profile.fs, name).values())
        cpu = time.process_time() - started
    print(
        f"{len(lists)} lists with {lines} lines; {LOOKUPS} lookups found {found} known failures in {cpu:.2f} s of CPU"
    )
    print(
        f"lookups : reading the lists once   {cpu / floor:6.1f}   (floor {floor:.3f} s; {cpu / LOOKUPS * 1e6:.0f} µs a lookup)"
    )


def asked(tree: Path):  # type: ignore[no-untyped-def]
    """Kernels that have lists, and ones between them that need the nearest, with every profile."""
    here = sorted(path.name for path in tree.iterdir())
    between = [f"{series}.{patch}" for series in ("5.10", "6.1", "6.6", "6.12") for patch in range(3, 250, 5)]
    return product([*between, *here], load_profiles().items())


def make(tree: Path) -> None:
    chance = random.Random(1)
    kernels = [f"{major}.{minor}.{patch}" for major in (5, 6) for minor in range(23) for patch in (0, 11, 105)][
        :KERNELS
    ]
    names = [(name, profile.fs) for name, profile in load_profiles().items()]
    for number in range(LISTS):
        name, fs = chance.choice([*names, ("all", "xfs"), ("all", "btrfs")])
        path = tree / kernels[number % len(kernels)] / fs / "unassigned" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        tests = (f"generic/{test:03}{chance.choice(NOTES)}\n" for test in chance.sample(range(700), ENTRIES))
        path.write_text("".join(tests))


if __name__ == "__main__":
    main()
