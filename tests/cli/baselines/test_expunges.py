"""`kdevops baseline import` and `export` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kdevops.__main__ import main
from kdevops.cli.baselines.expunges import export, import_
from kdevops.errors import UserError
from kdevops.paths import data_dir
from kdevops.results.expunges.counts import HEADER
from tests.results.expunges.trees import BLKTESTS, FSTESTS, LINKS, read, write

TABLE = "generic/001  pass=37 fail=2 hang=1  # flaky https://bugs.example/1\ngeneric/002  pass=40\n"
RESULT = "date\t2026-11-21 03:00:00\nstatus\tfail\nreason\texit\nexit_status\t1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    write(tmp_path / "tree", FSTESTS, LINKS)
    (tmp_path / "baselines").mkdir()
    return tmp_path


def done(result: Result) -> str:
    assert result.exit_code == 0, result
    return result.output


def test_import_says_what_is_new_and_what_is_left_out(here: Path) -> None:
    write(here / "tree", {"any/README.md": "x"})
    assert done(CliRunner().invoke(import_, ["tree"])).splitlines() == [
        f"fstests: 6 known failures in 5 lists: 5 new lists, 3 new links, 0 with new lines in {here}/baselines/expunges/fstests",
        "  left out, because not lists: any/README.md",
    ]
    assert "nothing is new" in done(CliRunner().invoke(import_, ["tree", "baselines"]))
    (fact,) = json.loads(done(CliRunner().invoke(import_, ["tree", "--json"])))
    assert (fact["suite"], fact["known"], fact["notes"], fact["left_out"]) == ("fstests", 6, 4, ["any/README.md"])
    assert fact["written"] == {"lists": 0, "links": 0, "changed": 0}


def test_import_into_the_baseline_of_a_lab(here: Path) -> None:
    (here / "labs").mkdir()
    (here / "labs/my.yaml").write_text("name: my\nsuites:\n  kunit: {}\n")
    done(CliRunner().invoke(import_, ["tree", "labs/my.yaml"]))
    assert read(here / "labs/baselines/expunges/fstests") == {
        **FSTESTS,
        **{name: f"-> {target}" for name, target in LINKS.items()},
    }


def test_what_comes_with_kdevops_is_not_changed(here: Path) -> None:
    result = CliRunner().invoke(import_, ["tree", str(data_dir("baselines"))])
    assert isinstance(result.exception, UserError)
    assert "is shipped with kdevops" in result.exception.message


def test_export_writes_imported_lists_and_own_counts(here: Path) -> None:
    done(CliRunner().invoke(import_, ["tree"]))
    write(here / "baselines", {"6.1/fstests/xfs_reflink.txt": TABLE, "6.6/selftests/default.txt": "a:b  fail=1\n"})
    told = done(CliRunner().invoke(export, ["out"]))
    assert told == f"{here}/out/fstests: 8 known failures of fstests, of which 2 are counts of {here}/baselines\n"
    own = "generic/001 # F:2/40 flaky https://bugs.example/1\ngeneric/001 # Hung:1/40\n"
    assert read(here / "out/fstests") == {
        **FSTESTS,
        **{name: f"-> {target}" for name, target in LINKS.items()},
        "6.1/xfs/unassigned/xfs_reflink.txt": HEADER + own,
    }
    assert "nothing is new" in done(CliRunner().invoke(export, ["out", "baselines"]))
    (fact,) = json.loads(done(CliRunner().invoke(export, ["other", "--kernel", "6.1.192", "--json"])))
    assert (fact["known"], fact["own"]) == (8, 2)
    assert read(here / "other/fstests")["6.1.192/xfs/unassigned/xfs_reflink.txt"] == HEADER + own
    assert "6.6" not in read(here / "other")


def test_export_of_nothing_says_so(here: Path) -> None:
    assert "knows of no failures" in done(CliRunner().invoke(export, ["out"]))
    assert not (here / "out").exists()


@pytest.mark.parametrize("words", [["nowhere"], ["."], ["tree", "nowhere.yaml"]])
def test_what_cannot_be_imported_is_refused(here: Path, words: list[str]) -> None:
    assert isinstance(CliRunner().invoke(import_, words).exception, UserError)
    assert read(here / "baselines") == {}


def test_a_kernel_that_is_none_is_refused(here: Path) -> None:
    assert isinstance(CliRunner().invoke(export, ["out", "--kernel", "../6.1"]).exception, UserError)


def test_imported_results_know_the_lists_of_the_baseline(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "Kernel version: 6.1.192\nRan: generic/475 generic/001\nFailures: generic/475\nFailed 1 of 2 tests\n"
    write(here / "results/6.1.192/xfs_crc", {"check.log": log, "check.time": "generic/001 3\n"})
    done(CliRunner().invoke(import_, ["tree"]))
    assert main(["results", "import", "results"]) == 0
    assert "\n  known failures from the expunge lists: 1\n" in capsys.readouterr().out
    main(["results", "1", "--json"])
    (test,) = (each for each in json.loads(capsys.readouterr().out)["tests"] if each["name"] == "generic/475")
    assert (test["verdict"], test["expunged"]) == ("known-failure", True)


@pytest.mark.parametrize("words", [["--expunges", "lists"], []], ids=["given", "of the baseline"])
def test_results_of_blktests_know_their_lists(here: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "results/nodev", {"block/011": RESULT, "block/012": RESULT})
    write(here / "lists", BLKTESTS)
    if not words:
        done(CliRunner().invoke(import_, ["lists"]))
    assert main(["results", "import", "--suite", "blktests", "results", "--kernel", "6.1.192", *words]) == 0
    assert "\n  known failures from the expunge lists: 1\n" in capsys.readouterr().out
    main(["results", "1", "--json"])
    tests = {each["name"]: each for each in json.loads(capsys.readouterr().out)["tests"]}
    assert (tests["block/011"]["verdict"], tests["block/011"]["note"]) == ("known-failure", "F:1/3 (listed for 6.1.42)")
    assert tests["block/012"]["expunged"] is False
