"""The toy fstests, run dry here, and what our readers make of what it prints and leaves."""

import os
import subprocess
from pathlib import Path

import pytest

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import ParsedEnd, ParsedStart, PlannedTest
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.fstests.check_output import CheckParser
from kdevops.suites.fstests.record import read_record, reconcile
from tests.fakefstests import HARMLESS, TESTS, Toy, make_repository, make_tree

PASS, FAIL, SKIP = Status.PASS, Status.FAIL, Status.SKIP
CONFIG = """\
[default]
FSTYP="xfs"
RECREATE_TEST_DEV="true"
RESULT_BASE="$PWD/results"

[toy_crc]
MKFS_OPTIONS="-m crc=1"
[toy_other]
export MKFS_OPTIONS=$'-m\\x20crc=0'
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = make_tree(tmp_path_factory.mktemp("fake") / "fstests", passing=2)
    subprocess.run(["make", "-s"], cwd=tree, check=True)
    (tree / "local.config").write_text(CONFIG)
    return tree


def check(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./check", *arguments],
        cwd=tree,
        env={**os.environ, "FAKE_DRY": "1", "FAKE_SLOW": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def told_by(text: str, *names: str) -> tuple[dict[TestId, Outcome], str]:
    parser = CheckParser([PlannedTest(TestId("fstests", "toy_crc", name), None) for name in names])
    events = [*parser.feed(text), *parser.close()]
    begun = [event.test for event in events if isinstance(event, ParsedStart)]
    assert len(begun) == len(set(begun))
    return {event.test: event.outcome for event in events if isinstance(event, ParsedEnd)}, parser.complaint


def by_name(told: dict[TestId, Outcome]) -> dict[str, tuple[Status, str]]:
    return {test.name: (outcome.status, outcome.reason) for test, outcome in told.items()}


def test_make_lists_the_tests_by_group(built: Path) -> None:
    assert "001 rw auto quick\n" in (built / "tests/generic/group.list").read_text()
    assert (built / "tests/xfs/group.list").read_text() == "001 auto quick\n"


def test_a_build_that_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make"], cwd=make_tree(tmp_path / "tree", build_error=True), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "src/toy.c:6:9: error: 'oops' undeclared" in done.stderr


def test_it_is_a_repository(tmp_path: Path) -> None:
    assert len(make_repository(tmp_path / "tree", settings={"FAKE_FLAKE": "0"})) == 40


def test_every_test_that_a_dry_run_can_run_is_told_and_recorded_alike(built: Path) -> None:
    names = [name for name in TESTS if name != "generic/014"]
    done = check(built, "-s", "toy_crc", "-R", "xunit", "--exact-order", *names, FAKE_FLAKE="100")
    told, complaint = told_by(done.stdout, *names)
    assert complaint == ""
    assert by_name(told) == {
        **dict.fromkeys(names, (PASS, "")),
        "generic/003": (SKIP, "no such feature on xfs"),
        "generic/004": (FAIL, "output mismatch"),
        "generic/005": (FAIL, "failed, exit status 1"),
        "generic/006": (FAIL, "_check_dmesg: something found in dmesg"),
        "generic/007": (FAIL, "output mismatch"),
        "generic/008": (FAIL, "output mismatch"),
        "generic/015": (FAIL, "failed, exit status 1"),
        "generic/018": (FAIL, "dumped core"),
        "generic/019": (FAIL, "_check_generic_filesystem: filesystem on  is inconsistent"),
        "generic/020": (FAIL, "no qualified output"),
    }
    assert [test.name for test in told] == names
    assert done.returncode == 1
    results = built / "results/toy_crc"
    assert reconcile(results, told) == []
    assert (results / "generic/006.dmesg").exists()
    assert (results / "generic/015.full").stat().st_size == 5 << 30
    (found,) = find_sections(built / "results", "6.1")
    assert found.notes == ()
    assert {name: outcome.status for name, outcome in found.outcomes.items()} == {
        test.name: outcome.status for test, outcome in told.items()
    }


def test_it_speaks_to_people_as_the_real_one_does(built: Path) -> None:
    done = check(built, "-s", "toy_other", "generic/101", "generic/003")
    lines = done.stdout.splitlines()
    assert lines[:3] == ["SECTION       -- toy_other", "RECREATING    -- xfs on ", "FSTYP         -- xfs"]
    assert lines[3].startswith("PLATFORM      -- Linux/")
    assert lines[5] == "generic/003       [not run] no such feature on xfs"
    assert lines[6].startswith(("generic/101        0s", "generic/101        1s"))
    assert "Ran: generic/003 generic/101" in lines
    assert "Not run: generic/003" in lines
    assert "Passed all 2 tests" in lines
    again = check(built, "-s", "toy_other", "generic/101").stdout
    assert " 0s ... " in again or " 1s ... " in again
    assert done.returncode == 0


def test_a_killed_check_leaves_its_test_untold(built: Path) -> None:
    names = ("generic/001", "generic/014", "generic/101")
    done = check(built, "-s", "toy_crc", "--exact-order", *names)
    assert done.returncode == -9
    told, complaint = told_by(done.stdout, *names)
    assert by_name(told) == {"generic/001": (PASS, "")}
    assert complaint == ""


def test_what_it_does_not_run(built: Path, tmp_path: Path) -> None:
    (tmp_path / "expunged").write_text("generic/101 # F:1/2\n")
    done = check(built, "-s", "toy_crc", "-E", str(tmp_path / "expunged"), "generic/101", "generic/999", "generic/102")
    told, _ = told_by(done.stdout, "generic/101", "generic/999", "generic/102")
    assert by_name(told) == {
        "generic/999": (Status.MISSING, "check: unknown test, ignored"),
        "generic/101": (SKIP, "expunged"),
        "generic/102": (PASS, ""),
    }
    assert "generic/102" in check(built, "-s", "toy_crc", "-n", "generic/102").stdout


def test_timestamps_and_repetitions(built: Path) -> None:
    names = ("generic/003", "generic/101", "generic/003#2", "generic/101#2")
    done = check(built, "-s", "toy_crc", "-T", "-i", "2", "generic/101", "generic/003")
    told, _ = told_by(done.stdout, *names)
    assert by_name(told) == {
        name: ((SKIP, "no such feature on xfs") if "003" in name else (PASS, "")) for name in names
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--bogus",), "Usage: ./check [options] [testlist]"),
        (("-R", "junit", "generic/001"), "report format 'junit' is not supported"),
        (("-s", "nowhere", "generic/001"), "check ended without a word about any test"),
    ],
)
def test_what_it_refuses(built: Path, arguments: tuple[str, ...], complaint: str) -> None:
    assert told_by(check(built, *arguments).stdout, "generic/001") == ({}, complaint)


def test_a_device_that_is_not_set_or_cannot_be_mounted(built: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("check wants root before it looks at devices")
    config = tmp_path / "config"
    config.write_text("[toy_crc]\nFSTYP=xfs\n")
    done = check(built, "generic/001", FAKE_DRY="", HOST_OPTIONS=str(config))
    assert told_by(done.stdout, "generic/001") == ({}, "common/rc: Error: $TEST_DEV is not set")
    config.write_text(f"[toy_crc]\nFSTYP=xfs\nTEST_DEV={tmp_path}/none\nTEST_DIR={tmp_path}\n")
    done = check(built, "generic/001", FAKE_DRY="", HOST_OPTIONS=str(config))
    assert told_by(done.stdout, "generic/001")[1] == f"common/rc: could not mount {tmp_path}/none on {tmp_path}"


def test_the_rate_of_flakes_and_tests_of_ones_own(tmp_path: Path) -> None:
    own = {"generic/500": Toy("auto", "echo $((6 * 7))", "42\n")}
    tree = make_tree(tmp_path / "tree", tests=own, settings={"FAKE_FLAKE": "0", "FAKE_DRY": "1"})
    subprocess.run(["make", "-s"], cwd=tree, check=True)
    done = subprocess.run(
        ["./check", "generic/007", "generic/500"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert "Passed all 2 tests" in done.stdout
    assert (tree / "results/check.log").exists()
    assert [run.failed for run in read_record(tree / "results").runs] == [frozenset()]


def test_the_harmless_are_harmless(built: Path) -> None:
    told, _ = told_by(check(built, "-s", "toy_crc", *HARMLESS).stdout, *HARMLESS)
    assert {outcome.status for outcome in told.values()} == {PASS, SKIP}
