"""fstests through real guests: a toy whose `check` speaks as the real one, and whose tests do what real ones do at their worst.

KDEVOPS_FSTESTS names a real fstests tree; then it is run as well.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdevops.lab.servers import ROLES
from kdevops.suites.fstests.needs import guest_needs
from tests.e2e.conftest import Kdevops, wait_until
from tests.fakefstests import TESTS, Toy, make_repository

WriteFstests = Callable[..., Path]
PACKAGES = guest_needs(("xfs", "ext4", "nfs", "cifs"), servers=ROLES).packages
"""What any of these tests needs, so that all of them share one image."""
# The first time it goes on until its server is gone, and fails then.
OUTLIVES_ITS_SERVER = """
if [ ! -e "$TEST_DIR/there" ]; then
    while timeout -s KILL 15 touch "$TEST_DIR/there"; do sleep 0.2; done
    exit 1
fi
echo fine
"""

MAPS = """
dmsetup create toy --table '0 1000 zero'
[ -b /dev/mapper/toy ] && [ -d "/sys/block/$(basename "$(readlink -f /dev/mapper/toy)")" ] && echo fine
dmsetup remove toy && [ ! -e /dev/mapper/toy ] || echo still there
"""
"""Much of fstests puts a device of device mapper between a file system and its disk, and finds it by its names."""


@pytest.fixture
def write_fstests(shared_kernel: dict[str, Any], tmp_path: Path) -> WriteFstests:
    """Make a lab that runs the toy on the kernel that all tests share."""

    def write(*profiles: str, source: Path | None = None, guests: int = 2, **fstests: Any) -> Path:
        tree = source or tmp_path / "fstests"
        if source is None and not tree.exists():
            toys = {"generic/101": Toy(script=OUTLIVES_ITS_SERVER), "generic/102": Toy("mapper", MAPS)}
            make_repository(tree, settings={"FAKE_SLOW": "1", "FAKE_FLAKE": "100"}, tests=toys)
        lab = {
            "name": "fs",
            "guests": {
                "count": guests,
                "cpus": 1,
                "memory": "1GiB",
                "disks": [{"size": "2GiB", "count": 3}],
                "image": {"packages": list(PACKAGES)},
            },
            "kernel": {"source": {"prebuilt": shared_kernel["image"]}},
            "verdict": {"rerun": "off"},
            "suites": {"fstests": {"profiles": list(profiles), "source": {"path": str(tree)}, **fstests}},
        }
        path = tmp_path / "fs.yaml"
        path.write_text(yaml.safe_dump(lab))
        return path

    return write


def test_every_fate_of_a_test_in_two_guests(kdevops: Kdevops, write_fstests: WriteFstests) -> None:
    ran = kdevops(
        "run", write_fstests("xfs_crc", groups=["auto", "mapper"], exclude=["generic/101"], timeout=6), "--json"
    )
    expected = {name: "fail" for name in TESTS if name.startswith("generic/")} | {
        "generic/001": "pass", "generic/002": "pass", "generic/003": "skip", "generic/009": "crash", "generic/010": "hang",
        "generic/011": "hang", "generic/012": "pass", "generic/013": "crash", "generic/016": "pass", "generic/017": "pass",
        "generic/102": "pass", "xfs/001": "pass",
    }  # fmt: skip
    assert ran.statuses() == expected, ran.stderr
    assert ran.code == 1, "failures that nobody knows are never green"
    tests = {each["name"]: each for each in ran.data["tests"]}
    assert "sysrq triggered crash" in tests["generic/009"]["oops"].lower()
    assert tests["generic/003"]["reason"] == "no such feature on xfs"
    assert "WARNING" in tests["generic/006"]["oops"]
    assert {each["guest"] for each in tests.values()} == {"fs-1", "fs-2"}
    kept = Path(ran.data["directory"]) / "fstests/xfs_crc/generic"
    assert "something else" in (kept / "004.out.bad").read_text()
    assert (kept / "015.full").stat().st_size < 2 << 20, "five gigabytes are not kept"
    assert "sysrq: Show Blocked State" in (kept / "010.console").read_text()
    assert "sysrq: Show Blocked State" in (kept / "011.console").read_text(), "asked over the console, ssh being dead"
    shown = kdevops("results", "1", "--test", "generic/008", check=0).stdout
    assert "\x1b" not in shown


def test_the_controller_killed_again_and_again_in_crash_recovery(kdevops: Kdevops, write_fstests: WriteFstests) -> None:
    names = ["generic/001", "generic/009", "generic/005", "generic/003", "xfs/001"]
    lab = write_fstests("xfs_crc", tests=names, guests=1)
    run = kdevops.start("run", lab)
    wait_until(lambda: ended(kdevops.state) >= 1, "no test ended", seconds=600)
    kill(run)
    run = kdevops.start("resume")
    wait_until(lambda: "sysrq triggered crash" in console(kdevops.state).lower(), "no panic", seconds=600)
    kill(run)
    run = kdevops.start("resume")
    wait_until(lambda: status(kdevops.state, "generic/009") == "crash", "the crash was not told", seconds=600)
    time.sleep(0.5)  # into the guest's next boot
    kill(run)
    assert kdevops("resume", "--json").code == 1
    statuses = kdevops("results", "1", "--json").statuses()
    assert statuses == {
        "generic/001": "pass", "generic/009": "crash", "generic/005": "fail", "generic/003": "skip", "xfs/001": "pass",
    }  # fmt: skip


def test_options_that_mkfs_refuses_leave_tests_missing_with_its_words(
    kdevops: Kdevops, write_fstests: WriteFstests
) -> None:
    bad = {"xfs_impossible": {"fs": "xfs", "mkfs": "-f -m crc=7"}}
    lab = write_fstests("ext4_defaults", "xfs_impossible", tests=["generic/001"], define=bad, guests=1)
    ran = kdevops("run", lab, "--json")
    assert ran.code == 4
    by_profile = {each["profile"]: each for each in ran.data["tests"]}
    assert by_profile["ext4_defaults"]["status"] == "pass"
    assert by_profile["xfs_impossible"]["status"] == "missing"
    assert "mkfs" in by_profile["xfs_impossible"]["reason"]


def test_known_failures_run_last_or_not_at_all(kdevops: Kdevops, write_fstests: WriteFstests, tmp_path: Path) -> None:
    lists = tmp_path / "expunges"
    (lists / "any/xfs/unassigned").mkdir(parents=True)
    (lists / "any/xfs/unassigned/xfs_crc.txt").write_text("generic/005 # F:1/1 https://example.org/5\ngeneric/001\n")
    names = ["generic/001", "generic/005", "xfs/001"]
    lab = write_fstests("xfs_crc", tests=names, expunges=[str(lists)], guests=1)
    ran = kdevops("run", lab, "--json", check=0)
    verdicts = {each["name"]: each["verdict"] for each in ran.data["tests"]}
    assert verdicts == {"generic/001": "fixed", "generic/005": "known-failure", "xfs/001": "new"}
    skipped = kdevops("run", lab, "--known", "skip", "--json", check=0)
    assert skipped.statuses() == {"generic/001": "skip", "generic/005": "skip", "xfs/001": "pass"}


@pytest.mark.parametrize(
    ("profile", "server", "stop"), [("nfs_v42", "fs-nfsd", "rpc.nfsd 0"), ("cifs_smb3", "fs-smbd", "pkill smbd")]
)
def test_a_service_that_dies_under_a_test_is_no_failure_of_it(
    kdevops: Kdevops, write_fstests: WriteFstests, profile: str, server: str, stop: str
) -> None:
    names = ["generic/001", "generic/003", "generic/005", "generic/101"]
    run = kdevops.start("run", write_fstests(profile, tests=names, guests=1), "--json")
    at_work = "test -e /export/fs-1/test/there"
    wait_until(
        lambda: run.poll() is None and kdevops("ssh", server, at_work).code == 0, "nobody is served", seconds=400
    )
    kdevops("ssh", server, stop, check=0)
    stdout, stderr = run.communicate(timeout=600)
    statuses = {test["name"]: test["status"] for test in json.loads(stdout)["tests"]}
    assert statuses == dict(zip(names, ("pass", "skip", "fail", "pass"), strict=True)), stderr
    assert query(kdevops.state, "SELECT text FROM journal WHERE text LIKE '%serves no more'")
    told = stderr + "".join(path.read_text() for path in kdevops.state.glob("labs/fs/play-*.log"))
    assert told.count("PLAY RECAP") == 2, "it was made a server once more"


def test_what_cannot_run_is_refused_before_anything_starts(kdevops: Kdevops, write_fstests: WriteFstests) -> None:
    lab = write_fstests("xfs_crc_logdev", tests=["generic/001"])
    assert "needs 4 disks" in kdevops("run", lab, check=2).stderr
    lab = write_fstests("xfs_crc", tests=["generic/0001"])
    assert "did you mean" in kdevops("run", lab, check=2).stderr
    lab = write_fstests("xfs_reflink_64k", tests=["generic/001"])
    assert "6.12" in kdevops("run", lab, check=2).stderr


@pytest.mark.skipif("KDEVOPS_FSTESTS" not in os.environ, reason="KDEVOPS_FSTESTS names no fstests tree")
def test_the_real_fstests(kdevops: Kdevops, write_fstests: WriteFstests) -> None:
    tree = Path(os.environ["KDEVOPS_FSTESTS"])
    names = ["generic/001", "generic/002", "generic/006", "generic/110"]
    ran = kdevops("run", write_fstests("xfs_crc", source=tree, tests=names), "--json")
    assert ran.statuses() == {**dict.fromkeys(names[:3], "pass"), "generic/110": "skip"}


def kill(run: Any) -> None:
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def query(state: Path, question: str, *values: object) -> Any:
    path = state / "kdevops.sqlite"
    if not path.exists():
        return None
    with sqlite3.connect(path) as connection:
        try:
            row = connection.execute(question, values).fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None


def ended(state: Path) -> int:
    return query(state, "SELECT count(*) FROM outcome") or 0


def status(state: Path, name: str) -> str | None:
    found: str | None = query(
        state, "SELECT status FROM outcome JOIN planned ON planned.id = planned WHERE name = ?", name
    )
    return found


def console(state: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in state.glob("labs/fs/guests/*/console.log"))
