from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from kdevops.errors import UserError
from kdevops.results.baselines.entry import Entry
from kdevops.results.expunges.counts import HEADER, Counted
from kdevops.results.expunges.exporting import export_trees
from kdevops.results.expunges.importing import import_trees
from kdevops.results.model import Counts, Status
from tests.results.expunges.trees import BLKTESTS, FSTESTS, LINKS, read, write

COUNTED = [
    Counted("6.1", "fstests", "xfs_crc", {"xfs/001": Entry(Counts({Status.PASS: 3, Status.FAIL: 1}))}),
    Counted("6.1", "blktests", "nodev", {"block/011": Entry(Counts({Status.PASS: 3, Status.HANG: 1}))}),
    Counted("6.1", "blktests", "nvme0n1", {"block/011": Entry(Counts({Status.PASS: 4}))}),
]


def place(suite: str, profile: str) -> PurePosixPath:
    return PurePosixPath("failures.txt") if suite == "blktests" else PurePosixPath("xfs/unassigned", f"{profile}.txt")


def test_a_round_trip_loses_nothing(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    write(checkout / "workflows/fstests/expunges", FSTESTS, LINKS)
    write(checkout / "workflows/blktests/expunges", BLKTESTS)
    (tmp_path / "baselines").mkdir()
    import_trees(checkout, tmp_path / "baselines")
    done = export_trees(tmp_path / "baselines", [], place, tmp_path / "out")
    assert [(each.suite, each.entries, each.own) for each in done] == [("fstests", 6, 0), ("blktests", 3, 0)]
    assert read(tmp_path / "out/fstests") == read(checkout / "workflows/fstests/expunges")
    assert read(tmp_path / "out/blktests") == read(checkout / "workflows/blktests/expunges")
    again = export_trees(tmp_path / "baselines", [], place, checkout)
    assert not any(each.written for each in again)


def test_own_counts_are_lists(tmp_path: Path) -> None:
    done = export_trees(tmp_path / "baselines", COUNTED, place, tmp_path / "out")
    assert [(each.suite, each.entries, each.own) for each in done] == [("fstests", 1, 1), ("blktests", 1, 1)]
    assert read(tmp_path / "out") == {
        "blktests/6.1/failures.txt": HEADER + "block/011 # Hung:1/8\n",
        "fstests/6.1/xfs/unassigned/xfs_crc.txt": HEADER + "xfs/001 # F:1/4\n",
    }
    (tmp_path / "other").mkdir()
    import_trees(tmp_path / "out", tmp_path / "other")
    assert read(tmp_path / "other/expunges/fstests") == read(tmp_path / "out/fstests")


def test_what_is_there_stays(tmp_path: Path) -> None:
    there = {
        "6.1/xfs/unassigned/xfs_crc.txt": "xfs/001 # F:9/9 mine\n",
        "any/large-disk.txt": "xfs/002\n",
        "README.md": "x",
    }
    write(tmp_path / "out/fstests", there, {"6.1.99": "6.1"})
    for number in range(2):
        (done, _) = export_trees(tmp_path / "baselines", COUNTED, place, tmp_path / "out")
        assert bool(done.written) is (number == 0)
        assert read(tmp_path / "out/fstests") == {
            **there,
            "6.1/xfs/unassigned/xfs_crc.txt": "xfs/001 # F:9/9 mine\nxfs/001 # F:1/4\n",
            "6.1.99": "-> 6.1",
        }


def test_nothing_to_write_makes_no_directory(tmp_path: Path) -> None:
    assert export_trees(tmp_path / "baselines", [], place, tmp_path / "out") == ()
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (baseline := tmp_path / "baselines").mkdir()
    import_trees(write(tmp_path / "tree", FSTESTS), baseline)
    with pytest.raises(UserError, match="is a part of the baseline"):
        export_trees(baseline, COUNTED, place, baseline)
    write(tmp_path / "out/blktests", {"6.1/failures.txt": "=======\n"})
    with pytest.raises(UserError, match=r"failures.txt:1: an unresolved git conflict"):
        export_trees(baseline, COUNTED, place, tmp_path / "out")
    assert not (tmp_path / "out/fstests").exists()
