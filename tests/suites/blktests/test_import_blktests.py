"""Results of blktests, as its `check` writes them."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.__main__ import main
from kdevops.errors import UserError
from kdevops.paths import state_dir
from kdevops.results.model import Outcome, Status, Subtest, TestId
from kdevops.results.store import Store
from kdevops.results.symptoms import symptoms
from kdevops.suites.blktests.archive import find_sections
from kdevops.suites.blktests.result import MAX_BYTES, outcome, parse
from kdevops.text import clean
from tests.support.baselines import counts_in

PASS, FAIL, SKIP, CRASH, _, MISSING = Status
WARNING = """\
[  100.000000] run blktests nvme/002 at 2026-11-21 03:00:05
[  101.000000] ------------[ cut here ]------------
[  101.000001] WARNING: CPU: 0 PID: 77 at drivers/nvme/host/core.c:12 nvme_foo+0x10/0x20 [nvme_core]
[  101.000002] CPU: 0 PID: 77 Comm: nvme Not tainted 6.1.192 #1
[  101.000003] RIP: 0010:nvme_foo+0x10/0x20 [nvme_core]
[  101.000004] Call Trace:
[  101.000005]  nvme_bar+0x1/0x2 [nvme_core]
[  101.000006] ---[ end trace 0000000000000000 ]---
"""


def result(status: str, **more: str) -> str:
    values = {"date": "2026-11-21 03:00:00", "description": "do things", "status": status, **more}
    return "".join(f"{key}\t{value}\n" for key, value in values.items())


def results(directory: Path, kernel: str = "6.1.192") -> Path:
    files = {
        "nodev/nvme/001": result("pass", runtime="0.312s", exit_status="0", iops="12"),
        "nodev/nvme/002": result("fail", reason="dmesg", runtime="1.5s", exit_status="0"),
        "nodev/nvme/002.dmesg": WARNING,
        "nodev/nvme/003": result("not run"),
        "nodev/nvme/004.full": "began",
        "nvme0n1/block/001": result("fail", reason="output", runtime="2s"),
        "nvme0n1/block/001.out.bad": "Running block/001\nbad \x1b[2Jnews\n",
        "nvme0n1/block/002": result("fail", reason="exit", exit_status="7"),
        "nodev_tr_loop/nvme/001": result("pass", runtime="0.4s", exit_status="0"),
    }
    for name, text in files.items():
        path = directory / kernel / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def test_every_device_is_a_profile(tmp_path: Path) -> None:
    found = {section.profile: section for section in find_sections(results(tmp_path))}
    assert list(found) == ["nodev", "nodev_tr_loop", "nvme0n1"]
    assert {section.kernel for section in found.values()} == {"6.1.192"}
    nodev = found["nodev"].outcomes
    assert nodev["nvme/001"] == Outcome(PASS, 0.312)
    assert nodev["nvme/003"] == Outcome(SKIP, 0.0, "not run")
    assert (nodev["nvme/004"].status, nodev["nvme/004"].reason[:8]) == (MISSING, "it began")
    assert (nodev["nvme/002"].status, nodev["nvme/002"].seconds) == (FAIL, 1.5)
    assert [report.signature for report in nodev["nvme/002"].reports] == ["WARNING in nvme_foo"]
    device = found["nvme0n1"].outcomes
    assert device["block/001"] == Outcome(FAIL, 2.0, "output mismatch")
    assert device["block/002"] == Outcome(FAIL, 0.0, "exit status 7", (Subtest("exit status 7", FAIL),))
    assert found["nodev"].when
    assert found["nodev"].when.isoformat() == "2026-11-21T03:00:00"


def test_how_it_failed_is_known_but_for_output(tmp_path: Path) -> None:
    ends = {each.profile: each.outcomes for each in find_sections(results(tmp_path))}
    assert symptoms(TestId("blktests", "nvme0n1", "block/002"), ends["nvme0n1"]["block/002"]) == {"sub:exit status 7"}
    assert symptoms(TestId("blktests", "nvme0n1", "block/001"), ends["nvme0n1"]["block/001"]) == frozenset()


def test_an_oops_is_a_crash(tmp_path: Path) -> None:
    results(tmp_path)
    oops = "BUG: kernel NULL pointer dereference, address: 0000000000000008\nOops: 0000 [#1] SMP\n"
    (tmp_path / "6.1.192/results/nodev/nvme/002.dmesg").write_text(oops)
    end = find_sections(tmp_path)[0].outcomes["nvme/002"]
    assert (end.status, end.reason) == (CRASH, "BUG: kernel NULL pointer dereference, address: 0000000000000008")


@pytest.mark.parametrize("root", [".", "6.1.192", "6.1.192/results", "6.1.192/results/nodev"])
def test_any_level_may_be_named(tmp_path: Path, root: str) -> None:
    assert find_sections(results(tmp_path) / root)[0].profile == "nodev"


def test_the_kernel_is_that_of_the_reports_or_has_to_be_given(tmp_path: Path) -> None:
    place = results(tmp_path, "somewhere") / "somewhere/results"
    (section,) = find_sections(place / "nodev")
    assert section.kernel == "6.1.192"
    with pytest.raises(UserError, match=r"nothing says which kernel ran in .*/nodev_tr_loop") as error:
        find_sections(place)
    assert "--kernel" in str(error.value.hint)
    assert {section.kernel for section in find_sections(place, "6.6.1")} == {"6.6.1"}


@pytest.mark.parametrize(
    ("text", "endings", "status", "reason"),
    [
        (result("pass"), ["", ".full"], PASS, ""),
        (result("pass").replace("\n", "\r\n"), [], PASS, ""),
        ("\ufeff" + "status\tpass\n", [], PASS, ""),
        ("status\tpass", [], MISSING, "its result file is cut off"),
        ("status\tpass\ndesc", [], MISSING, "its result file is cut off"),
        ("status\tpass\nstatus\tfail\n", [], MISSING, "its result file contains two values of status"),
        ("status\tfail\nreason\tex", [], FAIL, ""),
        (result("passed"), [], MISSING, "its status is 'passed'"),
        (result("PASS"), [], MISSING, "its status is 'PASS'"),
        (result(""), [], MISSING, "its result file does not say how it ended"),
        ("", [], MISSING, "its result file does not say how it ended"),
        ("status pass\n", [], MISSING, "its result file does not say how it ended"),
        (result("pass"), [".out.bad"], MISSING, "it is recorded as passed, but there is its .out.bad"),
        (result("pass"), [".dmesg"], MISSING, "it is recorded as passed, but there is its .dmesg"),
        (result("pass", exit_status="1"), [], MISSING, "it is recorded as passed, but with exit status 1"),
        (result("pass", reason="exit"), [], MISSING, "it is recorded as passed, but with the reason of a failure"),
        (result("not run", reason="no module"), [], SKIP, "no module"),
        (result("fail", reason="kmemleak"), [], FAIL, "kmemleak found a leak"),
        (result("fail", reason="a \x1b[2J new one"), [], FAIL, "a  new one"),
    ],
)
def test_how_a_test_ended(text: str, endings: list[str], status: Status, reason: str) -> None:
    end = outcome(parse(text.encode()), endings)
    assert (end.status, end.reason) == (status, reason)


@given(st.binary(max_size=300), st.sets(st.sampled_from([".out.bad", ".dmesg", ".full"])))
def test_only_a_whole_line_makes_a_pass(data: bytes, endings: set[str]) -> None:
    end = outcome(parse(data), endings)
    assert end.status is not PASS
    assert end.reason == clean(end.reason)
    assert outcome(parse(b"status\tpass\n" + data), endings).status in {PASS, MISSING}


@given(st.integers(0, len(result("pass", exit_status="0", zone="x"))))
def test_cut_off_anywhere_it_is_no_pass(at: int) -> None:
    text = "".join(sorted(result("pass", exit_status="0", zone="x").splitlines(keepends=True))).encode()
    end = outcome(parse(text[:at]), ())
    assert end.status is MISSING or text[:at].endswith(b"\n")


def test_odd_files(tmp_path: Path) -> None:
    place = results(tmp_path) / "6.1.192/results/nodev/nvme"
    secret = tmp_path / "secret"
    secret.write_text(result("pass"))
    (place / "005").symlink_to(secret)
    os.mkfifo(place / "006")
    (place / "007").write_bytes(b"status\tpass\n" + b"x" * MAX_BYTES)
    (place / "008").mkdir()
    (place.parent / "loop").symlink_to(place.parent)
    ends = find_sections(tmp_path)[0].outcomes
    assert {"nvme/005", "nvme/006", "nvme/008"} & ends.keys() == set()
    assert (ends["nvme/007"].status, ends["nvme/007"].reason) == (MISSING, "its result file is too long")


def test_sources_are_not_results(tmp_path: Path) -> None:
    (tmp_path / "6.1.1/tests/block").mkdir(parents=True)
    (tmp_path / "6.1.1/tests/block/001").write_text("#!/bin/bash\n. tests/block/rc\n")
    (tmp_path / "6.1.1/tests/block/001.out").write_text("Running\n")
    with pytest.raises(UserError, match="there are no results of blktests in"):
        find_sections(tmp_path)
    with pytest.raises(UserError, match="is not a directory"):
        find_sections(tmp_path / "no")


def test_results_of_weeks_are_told(tmp_path: Path) -> None:
    path = results(tmp_path) / "6.1.192/results/nodev/nvme/001"
    path.write_text(path.read_text().replace("2026-11-21", "2026-10-01"))
    assert find_sections(tmp_path)[0].notes == (
        "nodev: the tests ran from 2026-10-01 to 2026-11-21; check keeps the last result of each",
    )


def test_they_are_a_run_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baselines").mkdir()
    results(tmp_path / "results")
    for _ in range(2):
        assert main(["results", "import", "--suite", "blktests", "results"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "run 1: 6.1.192, nodev, nodev_tr_loop, nvme0n1: 2 pass, 3 fail, 1 skip, 1 missing"
    assert told[2] == "already imported as run 1: 6.1.192, nodev, nodev_tr_loop, nvme0n1"
    assert main(["results", "1"]) == 1
    assert "WARNING in nvme_foo" in capsys.readouterr().out
    main(["results", "1", "--test", "block/001"])
    assert "bad news" in capsys.readouterr().out
    assert (state_dir() / "runs/1/blktests/nvme0n1/block/001.out.bad").exists()
    assert main(["baseline", "accept", "1"]) == 0
    assert "block/002  fail=1" in counts_in(tmp_path / "baselines/6.1")
    assert main(["results", "import", "--suite", "blktests", "results", "--expunges", "x"]) == 2
    assert "x is not a directory of expunge lists" in capsys.readouterr().err
    assert main(["results", "import", "--suite", "blktests", "results", "--kernel", "x y"]) == 2
    with Store(state_dir()) as store:
        assert len(store.runs()) == 1


def test_a_lab_cannot_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text("name: x\nsuites: {blktests: {}}\n")
    assert main(["lab", "validate", str(lab)]) == 2
    told = capsys.readouterr().err
    assert "lab.yaml:2:10: suites.blktests: kdevops does not run blktests, but imports its results" in told
    assert "kdevops results import --suite blktests DIR" in told
    assert main(["lab", "suites", "--json"]) == 0
    assert "blktests" not in json.loads(capsys.readouterr().out)["suites"]
