"""`kdevops results` on runs that are in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.cli.results import _LISTED
from kdevops.results.compare import Verdict
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from kdevops.run.lock import lab_lock
from tests.cli.said import told

S = Status


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(outcomes: dict[str, Outcome], *, finish: bool = True, planned: tuple[str, ...] = ()) -> int:
    """A run of lab xfs whose tests, named profile/group/number, ended so; `planned` ones did not end."""
    ids = {name: TestId("fstests", *name.split("/", 1)) for name in (*outcomes, *planned)}
    record = {"kernel": {"release": "6.1.192"}, "baseline": str(Path("baselines").absolute())}
    with Store(Dirs.default().state) as store:
        run = store.create_run("xfs", [PlannedRow(test, 60) for test in ids.values()], record)
        for name, outcome in outcomes.items():
            store.started(run, ids[name], "xfs-1")
            store.ended(run, ids[name], outcome)
        if finish:
            store.finish(run)
    return run


@pytest.mark.parametrize(
    ("kind", "begins"), [("junit", "<?xml"), ("ktap", "KTAP version 1"), ("mail", "Undecided: 1 failure")]
)
def test_a_format_without_a_run_is_that_of_the_last_that_has_ended(
    capsys: pytest.CaptureFixture[str], kind: str, begins: str
) -> None:
    stored({"xfs_crc/generic/001": Outcome(S.PASS)})
    stored({"xfs_crc/generic/002": Outcome(S.FAIL)})
    stored({"xfs_crc/generic/003": Outcome(S.PASS)}, finish=False)
    assert main(["results", "--format", kind]) == 4
    captured = capsys.readouterr()
    assert captured.out.startswith(begins)
    assert captured.out == told(capsys, "results", "2", "--format", kind, code=4)
    assert captured.err == "run 2 of lab xfs, the last finished run\n"


def test_a_test_without_a_run_is_that_of_the_last_that_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no finished run" in told(capsys, "results", "--test", "generic/001", code=2)
    stored({"xfs_crc/generic/001": Outcome(S.FAIL, 2.0)})
    stored({}, finish=False, planned=("xfs_crc/generic/001",))
    assert told(capsys, "results", "--test", "generic/001").startswith("fstests/xfs_crc/generic/001: fail after 2.0 s")


@pytest.mark.parametrize("options", [["--format", "mail", "--json"], ["--format", "text", "--test", "generic/001"]])
def test_options_that_contradict_each_other_are_refused(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    stored({"xfs_crc/generic/001": Outcome(S.PASS)})
    error = told(capsys, "results", "1", *options, code=2)
    assert all(option in error for option in options if option.startswith("--"))


def test_the_help_tells_that_the_exit_code_is_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert "exits with its exit code" in " ".join(told(capsys, "results", "show", "--help").split())


def profiles() -> int:
    """One test with four profiles, and some more."""
    out = Dirs.default().run(1) / "fstests/xfs_4k/generic/475.log"
    out.parent.mkdir(parents=True)
    out.write_text("what check printed\n")
    return stored(
        {
            "xfs_1k/generic/475": Outcome(S.PASS, 1.0),
            "xfs_2k/generic/475": Outcome(S.SKIP, reason="no log device"),
            "xfs_4k/generic/475": Outcome(
                S.FAIL, 3.0, reason="output mismatch", output="fstests/xfs_4k/generic/475.log", guest="xfs-1"
            ),
            "xfs_8k/generic/475": Outcome(S.CRASH, 4.0, oops="BUG: it broke\n", guest="xfs-2"),
            **{f"xfs_1k/generic/{number:03}": Outcome(S.PASS) for number in range(60)},
        }
    )


def test_a_test_of_several_profiles_is_told_profile_by_profile(capsys: pytest.CaptureFixture[str]) -> None:
    profiles()
    lines = told(capsys, "results", "1", "--test", "generic/475").splitlines()
    assert lines[:4] == [
        "fstests/xfs_1k/generic/475: pass after 1.0 s",
        "fstests/xfs_2k/generic/475: skip, no log device",
        "fstests/xfs_4k/generic/475: fail after 3.0 s, output mismatch",
        "fstests/xfs_8k/generic/475: crash after 4.0 s",
    ]
    rest = "\n".join(lines[4:])
    assert "fstests/xfs_4k/generic/475: fail after 3.0 s on xfs-1\nreason: output mismatch\n" in rest
    assert "what check printed" in rest
    assert "BUG: it broke" in rest
    assert "xfs_1k" not in rest  # it passed
    facts = json.loads(told(capsys, "results", "1", "--test", "generic/475", "--json"))
    assert [(each["test"], each["status"]) for each in facts][2:] == [
        ("fstests/xfs_4k/generic/475", "fail"),
        ("fstests/xfs_8k/generic/475", "crash"),
    ]


def test_a_whole_name_goes_before_a_part_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"xfs_1k/generic/47": Outcome(S.PASS), "xfs_1k/generic/475": Outcome(S.PASS)})
    assert told(capsys, "results", "1", "--test", "generic/47") == "fstests/xfs_1k/generic/47: pass after 0.0 s\n"


def test_what_is_listed_is_every_status_and_verdict() -> None:
    assert set(_LISTED) == {*Status, *Verdict}


def test_many_tests_that_fit_are_counted_and_few_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    stored({f"xfs_1k/generic/{number:03}": Outcome(S.FAIL) for number in range(200)})
    lines = told(capsys, "results", "1", "--test", "generic").splitlines()
    assert len(lines) < 120
    assert "and 150 more, listed by: kdevops results 1 --json" in lines


def test_an_unknown_test_is_answered_with_few_names(capsys: pytest.CaptureFixture[str]) -> None:
    profiles()
    error = told(capsys, "results", "1", "--test", "generic/0555", code=2)
    assert "run 1: no test generic/0555; nearest of 61 names: generic/055" in error
    assert "of 61 names" in error
    assert len(error) < 300
    assert "of 61 names" in told(capsys, "results", "1", "--test", "qqqqqqqqq", code=2)


@pytest.mark.parametrize("name", ["missing", "fail", "known-failure", "new"])
def test_tests_are_listed_by_status_and_by_verdict(capsys: pytest.CaptureFixture[str], name: str) -> None:
    known = Path("baselines/6.1/fstests/xfs.txt")
    known.parent.mkdir(parents=True)
    known.write_text("generic/001  fail=1\n")
    stored(
        {"xfs/generic/001": Outcome(S.FAIL, 1.0, "bad"), "xfs/generic/002": Outcome(S.PASS, 1.0)},
        planned=("xfs/generic/003",),
    )
    expected = {
        "missing": "fstests/xfs/generic/003: missing, never given to a guest\n",
        "fail": "fstests/xfs/generic/001: fail after 1.0 s, bad\n",
        "known-failure": "fstests/xfs/generic/001: fail after 1.0 s, bad\n",
        "new": "fstests/xfs/generic/002: pass after 1.0 s\n",
    }
    assert told(capsys, "results", "1", "--list", name) == expected[name]
    (fact,) = json.loads(told(capsys, "results", "1", "--list", name, "--json"))
    assert expected[name].startswith(f"{fact['test']}: {fact['status']}")
    assert told(capsys, "results", "--list", "crash") == "no test\n"


def test_a_number_beyond_all_runs_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["results"], ["baseline", "accept"], ["resume"]):
        assert "no run 99999999999999999999999 in" in told(capsys, *verb, "9" * 23, code=2)


def test_a_run_whose_controller_was_killed_is_shown_as_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"xfs/generic/001": Outcome(S.PASS)}, finish=False, planned=("xfs/generic/002",))
    place = Dirs.default().lab("xfs")
    with lab_lock(place, "xfs", "run"):
        assert json.loads(told(capsys, "results", "--json"))[0]["state"] == "running"
        assert told(capsys, "results", "1", code=4).startswith("Unfinished")
    for _ in range(2):
        assert json.loads(told(capsys, "results", "--json"))[0]["state"] == "interrupted"
        assert "interrupted" in told(capsys, "results")
        assert told(capsys, "results", "1", code=4).startswith("Interrupted")
    (place / "lock").unlink()  # as where a store was copied
    assert "interrupted" in told(capsys, "results")
    with Store(Dirs.default().state) as store:
        assert store.run(1).state == "running"  # looking has changed nothing
    assert "kdevops resume 1" in told(capsys, "results", "1", code=4)


def test_the_list_of_runs_has_the_kernels_and_says_that_times_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"xfs/generic/001": Outcome(S.PASS)})
    with Store(Dirs.default().state) as store:
        created = store.run(1).created[:16].replace("T", " ")
    assert told(capsys, "results").split() == f"1 {created} UTC xfs 6.1.192 complete pass 1".split()
