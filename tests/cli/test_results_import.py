import json
import re
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.paths import state_dir
from tests.support.baselines import counts_in

LOG = (
    "Kernel version: 6.1.192\nRan: generic/009 generic/001 generic/002\n"
    "Interrupted!\nFailures: generic/001\nFailed 1 of 3 tests\n"
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    section = tmp_path / "results/6.1.192/xfs_crc"
    (section / "generic").mkdir(parents=True)
    (section / "check.log").write_text(LOG)
    (section / "check.time").write_text("generic/009 3\n")
    (section / "generic/001.out.bad").write_text("bad \x1b[2J news\n")
    return tmp_path / "results"


def test_what_was_imported_is_a_run_as_any_other(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "import", str(results)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run 1: 6.1.192, xfs_crc: 1 pass, 1 fail, 1 missing",
        "  see it: kdevops results 1",
    ]
    assert main(["results"]) == 0
    assert "imported" in capsys.readouterr().out
    assert main(["results", "1"]) == 4
    told = capsys.readouterr().out
    assert "run 1 of lab imported, kernel 6.1.192" in told
    assert "check was interrupted while it ran" in told
    assert "rerun" not in told
    assert main(["results", "1", "--test", "generic/001"]) == 0
    assert capsys.readouterr().out.endswith("bad  news\n\n")
    assert main(["results", "show", "1", "--format", "ktap"]) == 4
    capsys.readouterr()
    assert main(["results", "1", "--format", "mail"]) == 4
    assert "\nxfs_crc: 3 tests, 1 failure, 1 missing, 0 skipped, " in capsys.readouterr().out


def test_the_same_results_are_the_same_run(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results.parent / "baselines").mkdir()
    assert main(["results", "import", str(results)]) == 0
    assert main(["baseline", "accept", "1"]) == 0
    capsys.readouterr()
    elsewhere = results.rename(results.parent / "elsewhere")
    assert main(["results", "import", str(elsewhere), "--lab", "colleague"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "already imported as run 1: 6.1.192, xfs_crc",
        "  see it: kdevops results 1",
    ]
    assert main(["results", "import", str(elsewhere), "--json"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)
    assert (fact["id"], fact["already"], fact["counts"]["fail"]) == (1, True, 1)
    assert main(["results", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_what_is_accepted_later_does_not_turn_it_green(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = results / "6.1.192/xfs_crc/check.log"
    log.write_text(
        "Kernel version: 6.1.192\nRan: generic/009 generic/001\nFailures: generic/001\nFailed 1 of 2 tests\n"
    )
    (results.parent / "baselines").mkdir()
    assert main(["results", "import", str(results)]) == 0
    assert main(["baseline", "accept", "1"]) == 0
    assert main(["results", "1"]) == 4
    assert main(["results", "1", "--judge"]) == 0
    assert "fstests/xfs_crc/generic/001: inconclusive, now known-failure" in capsys.readouterr().out


def test_another_machine_accepts_the_same_results_once(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (results.parent / "baselines").mkdir()
    written = []
    for machine in ("one", "two"):
        monkeypatch.setenv("KDEVOPS_STATE", str(results.parent / machine))
        assert main(["results", "import", str(results), "--lab", machine]) == 0
        assert main(["baseline", "accept", "1"]) == 0
        written.append(counts_in(results.parent / "baselines"))
    assert written[0] == written[1]
    assert counts_in(results.parent / "baselines").count("generic/001  fail=1") == 1


def test_the_days_on_which_tests_ran_are_shown(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = results / "6.1.192/xfs_crc/check.log"
    main(["results", "import", str(results)])
    log.write_text(LOG.replace("Ran:", "Sat Nov 21 03:00:00 UTC 2020\nRan:", 1))
    capsys.readouterr()
    assert main(["results", "import", str(results)]) == 0
    assert "run 2: 6.1.192" in capsys.readouterr().out, "the same tests on another day are another run"
    main(["results"])
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].startswith("   2  2020-11-21 03:00      imported")
    assert listed[1].startswith("   1  on an unknown date    imported")
    main(["results", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["ran"] == ["2020-11-21T03:00:00"]
    main(["results", "2"])
    assert "\nran 2020-11-21, imported 20" in capsys.readouterr().out
    main(["results", "2", "--json"])
    assert json.loads(capsys.readouterr().out)["imported"]["ran"] == {"xfs_crc": "2020-11-21T03:00:00"}
    main(["results", "2", "--format", "mail"])
    assert re.search(r"^Ran: +2020-11-21$", capsys.readouterr().out, re.MULTILINE)


def test_no_reruns_are_offered_that_it_cannot_have(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["results", "import", str(results)])
    main(["results", "1"])
    told = capsys.readouterr().out
    assert "Not decided yet (1)" in told
    assert "kdevops decide" not in told


def test_as_json_under_a_name_and_with_a_kernel(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "import", str(results), "--json", "--lab", "colleague", "--kernel", "6.1.9+"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)
    assert (fact["id"], fact["kernel"], fact["profiles"], fact["notes"]) == (1, "6.1.9+", ["xfs_crc"], [])
    assert main(["results", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["lab"], run["kernel"], run["state"]) == ("colleague", "6.1.9+", "incomplete")


@pytest.mark.parametrize("verb", ["rerun", "resume"])
def test_it_cannot_be_run_again(results: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    main(["results", "import", str(results)])
    assert main([verb, "1"]) == 2
    assert f"run 1 was imported from {results}: it has no lab" in capsys.readouterr().err


def test_it_can_be_accepted_as_a_baseline(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results.parent / "baselines").mkdir()
    main(["results", "import", str(results)])
    assert main(["baseline", "accept", "1"]) == 0
    assert "generic/001  fail=1" in counts_in(results.parent / "baselines")


def test_what_is_no_results_is_refused_and_nothing_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "import", str(tmp_path)]) == 2
    assert f"there are no results of fstests in {tmp_path}" in capsys.readouterr().err
    assert main(["results", "import", "--lab", "", str(tmp_path)]) == 2
    assert "--lab" in capsys.readouterr().err
    assert not (state_dir() / "runs").exists()


def test_help_tells_of_both_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--help"]) == 0
    told = capsys.readouterr().out
    assert "import" in told
    assert "show" in told


def test_a_suite_that_reads_no_results_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "import", "--suite", "kunit", str(results)]) == 2
    assert "the suite kunit cannot import results; known: blktests, fstests, ltp" in capsys.readouterr().err
    assert main(["results", "import", "--suite", "fstests", str(results)]) == 0


def test_a_suite_without_expunge_lists_takes_none(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "import", "--suite", "ltp", str(results), "--expunges", "x"]) == 2
    assert "--expunges: there are no expunge lists for ltp" in capsys.readouterr().err


def test_known_failures_from_expunge_lists(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results.parent / "baselines").mkdir()
    lists = results.parent / "expunges/6.1.192/xfs/unassigned"
    lists.mkdir(parents=True)
    (lists / "xfs_crc.txt").write_text("generic/001 # F:1/11 see x\ngeneric/777\n")
    assert main(["results", "import", str(results), "--expunges", "expunges"]) == 0
    assert "\n  known failures from the expunge lists: 1\n" in capsys.readouterr().out
    main(["results", "1"])
    told = capsys.readouterr().out
    assert "Known failures: 1 fail" in told
    assert "Not decided yet" not in told
    main(["results", "1", "--json"])
    (test,) = (each for each in json.loads(capsys.readouterr().out)["tests"] if each["name"] == "generic/001")
    assert (test["verdict"], test["expunged"], test["note"]) == ("known-failure", True, "F:1/11 see x")


def test_expunge_lists_for_results_that_are_there(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results.parent / "baselines").mkdir()
    lists = results.parent / "expunges/any/xfs/unassigned"
    lists.mkdir(parents=True)
    (lists / "all.txt").write_text("generic/001 # hangs\n")
    main(["results", "import", str(results)])
    main(["results", "1"])
    assert "Not decided yet (1)" in capsys.readouterr().out
    assert main(["results", "import", str(results), "--expunges", "expunges", "--json"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)
    assert (fact["id"], fact["already"], fact["known"]) == (1, True, 1)
    main(["results", "1"])
    assert "Not decided yet" not in capsys.readouterr().out
    (lists / "all.txt").write_text("nonsense\n")
    assert main(["results", "import", str(results), "--expunges", "expunges"]) == 2
    assert "all.txt:1: not a line of an expunge list: nonsense" in capsys.readouterr().err
    assert main(["results", "import", str(results), "--expunges", "nowhere"]) == 2
