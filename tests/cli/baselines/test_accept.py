"""`kdevops baseline accept` and `diff` on runs that are in the store."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdevops import paths
from kdevops.__main__ import main
from kdevops.files import write_atomic
from kdevops.results.baselines import entry, writing
from kdevops.results.baselines.baseline import load
from kdevops.results.baselines.old_marks import mark_of
from kdevops.results.baselines.table_text import counts_text
from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from tests.cli.said import told

S = Status


def stored(
    outcomes: dict[str, Outcome], *, directory: Path | None = None, finish: bool = True, imported: bool = False
) -> int:
    """A run of lab demo; its baseline is `directory`, or baselines/ here."""
    record: dict[str, Any] = {
        "kernel": {"release": "6.1.192"},
        "baseline": str((directory or Path("baselines")).absolute()),
    }
    if imported:
        record["imported"] = {"directory": "/results"}
    with Store(Dirs.default().state) as store:
        ids = [TestId("selftests", "default", name) for name in outcomes]
        run = store.create_run("demo", [PlannedRow(test, 60) for test in ids], record)
        for test in ids:
            store.ended(run, test, outcomes[test.name])
        if finish:
            store.finish(run)
    return run


OLD = Path("baselines/6.1/selftests/default.txt")
"""Where an older kdevops had its table."""


def known(directory: Path = Path("baselines")) -> dict[str, str]:
    """The counts of each test."""
    (table,) = load(directory, "6.1").tables.values()
    return {name: counts_text(entry) for name, entry in sorted(table.entries.items())}


def test_a_run_is_counted_once_however_often_it_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS)})
    stored({"a": Outcome(S.FAIL)})
    told(capsys, "baseline", "accept", "1")
    for _ in range(2):
        assert told(capsys, "baseline", "accept", "1").startswith("run 1 was accepted already")
        assert json.loads(told(capsys, "baseline", "accept", "1", "--json")) == {"run": 1, "written": []}
        assert told(capsys, "baseline", "diff", "1").startswith("nothing would change: run 1 was accepted already")
    assert known() == {"a": "pass=1"}
    told(capsys, "baseline", "accept", "2")
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=1 fail=1"}


def test_a_file_says_which_run_it_counts_and_what_did_not_simply_pass(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS, 2.0), "b": Outcome(S.FAIL), "c": Outcome(S.SKIP)})
    told(capsys, "baseline", "accept", "1")
    (counts,) = [path for path in Path("baselines").rglob("*-*.txt") if not path.name.startswith(("tests", "seconds"))]
    first, *lines = counts.read_text().splitlines()
    mark, tests = counts.stem.split("-")
    assert first.startswith(f"run {mark}  tests={tests}  # 20")
    assert first.endswith(" UTC, 6.1.192, lab demo")
    assert lines == ["b  fail=1", "b>fail  seen=1"]
    assert (counts.parent / f"tests-{tests}.txt").read_text() == "a\nb\nc skip\n"
    assert (counts.parent / f"seconds-{tests}.txt").read_text() == "a 2.0\n"
    assert (counts.parent.parent.parent.name, counts.parent.name) == (platform.machine(), "default")


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


def test_the_ways_in_which_tests_go_bad_are_shown_and_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": failing("alpha"), "b": Outcome(S.PASS)})
    stored({"a": failing("alpha", "beta"), "b": Outcome(S.PASS)})
    accepted = told(capsys, "baseline", "accept", "1")
    assert "known from now on: 1 new way to go bad\n" in accepted
    told(capsys, "baseline", "annotate", "a", "baselines", "--way", "sub:alpha", "--note", "bug 7")
    assert told(capsys, "baseline", "diff", "2").splitlines() == [
        "6.1 selftests/default",
        "-a  fail=1",
        "-a>sub:alpha  seen=1  # bug 7",
        "+a  fail=2",
        "+a>sub:alpha  seen=2  # bug 7",
        "+a>sub:beta  seen=1",
        " 1 more test passed, or only skipped",
    ]
    told(capsys, "baseline", "accept", "2")
    text = told(capsys, "baseline", "show", "--all")
    assert "  a  fail=2\n  a>sub:alpha  seen=2  # bug 7\n  a>sub:beta  seen=1\n  b  pass=2\n" in text


def test_a_test_that_fails_in_another_way_is_undecided_until_that_is_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("beta", "alpha", "beta"):
        stored({"a": failing(name)})
    told(capsys, "baseline", "accept", "1")
    told(capsys, "results", "3")
    assert main(["results", "2"]) == 4
    assert "fails in another way: subtest alpha (known: subtest beta)" in capsys.readouterr().out
    told(capsys, "baseline", "accept", "2")
    assert main(["results", "2", "--judge"]) == 4, "once in two results is as little as one flake in two"
    stored({"a": failing("alpha")})
    told(capsys, "baseline", "accept", "4")
    told(capsys, "results", "2", "--judge")
    assert main(["results", "2"]) == 4


def test_more_ways_than_are_kept_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "MAX_SYMPTOMS", 2)
    stored({"a": failing("x", "y", "z")})
    stored({"a": failing("x", "y")})
    cut = "selftests/default/a: 1 way to go bad beyond the 2 that are kept\n"
    assert cut in told(capsys, "baseline", "accept", "1")
    assert "a>more  left-out=1  # " in told(capsys, "baseline", "show")
    assert cut not in told(capsys, "baseline", "accept", "2")
    assert "a>more  left-out=1  # " in told(capsys, "baseline", "show")


def test_what_is_accepted_goes_with_the_files_of_git(capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "begin")
    stored({"a": Outcome(S.FAIL)})
    assert (
        told(capsys, "baseline", "accept").splitlines()[-1] == "see: git add -N baselines/6.1 && git diff baselines/6.1"
    )
    git("add", "-N", "baselines/6.1")
    assert "+a  fail=1" in git("diff", "baselines/6.1")
    git("add", "baselines")
    git("commit", "-q", "-m", "accept")
    assert "accepted already" in told(capsys, "baseline", "accept", "1")
    git("revert", "--no-edit", "HEAD")  # who takes the counts back can accept the run anew
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "fail=1"}


def test_replace_takes_back_what_other_runs_had_and_counts_as_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.FAIL), "b": Outcome(S.FAIL)})
    stored({"a": Outcome(S.PASS)})
    OLD.parent.mkdir(parents=True)
    OLD.write_text("a  fail=7\nc  fail=1\n")
    told(capsys, "baseline", "accept", "1")
    told(capsys, "baseline", "accept", "2", "--replace")
    assert known() == {"a": "pass=1", "b": "fail=1", "c": "fail=1"}
    assert "accepted already" in told(capsys, "baseline", "accept", "2")
    assert "accepted already" in told(capsys, "baseline", "accept", "1")


def test_what_could_not_be_read_afterwards_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS)})
    stored({"a": Outcome(S.FAIL)})
    told(capsys, "baseline", "accept", "1")
    told(capsys, "baseline", "accept", "2", "--replace")
    assert "replace each other" in told(capsys, "baseline", "accept", "1", "--replace", code=2)
    assert known() == {"a": "fail=1"}


def test_what_was_cut_short_counts_nothing_and_can_be_done_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored({"a": Outcome(S.PASS)})
    done: list[Path] = []

    def broken(path: Path, text: str) -> None:
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(path)
        write_atomic(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_atomic", broken)
        assert "No space left on device" in told(capsys, "baseline", "accept", "1", code=3)
    assert len(done) == 2
    assert load(Path("baselines"), "6.1").tables == {}
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=1"}


def test_what_an_older_version_began_to_accept_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    number = stored({"a": Outcome(S.PASS)})
    with Store(Dirs.default().state) as store:
        mark = mark_of(store.run(number), store.outcomes(number))
    OLD.parent.mkdir(parents=True)
    OLD.write_text("a  pass=1\n")
    (OLD.parent.parent / "accepted.txt").write_text(f"{mark}  2026-11-21 22:42 UTC, lab demo, begun\n")
    error = told(capsys, "baseline", "accept", "1", code=2)
    assert "was interrupted" in error
    assert "accepted.txt" in error
    (OLD.parent.parent / "accepted.txt").write_text(f"{mark}  2026-11-21 22:42 UTC, lab demo\n")
    assert "accepted already" in told(capsys, "baseline", "accept", "1")


def test_a_selection_is_accepted_and_the_rest_later_and_each_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS), "b": Outcome(S.FAIL), "c": Outcome(S.FAIL)})
    told(capsys, "baseline", "accept", "1", "--only", "b")
    assert known() == {"b": "fail=1"}
    told(capsys, "baseline", "accept", "1", "--only", "[bc]")
    assert known() == {"b": "fail=1", "c": "fail=1"}
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=1", "b": "fail=1", "c": "fail=1"}
    assert "no test of the run fits x*" in told(capsys, "baseline", "accept", "1", "--only", "x*", code=2)


ACCEPT = """
import sys
from kdevops.__main__ import main
sys.exit(main(["baseline", "accept", sys.argv[1]]))
"""


def test_six_that_are_accepted_at_once_are_all_there(tmp_path: Path) -> None:
    for _ in range(6):
        stored({"a": Outcome(S.FAIL), "b": Outcome(S.PASS)})
    started = [subprocess.Popen([sys.executable, "-c", ACCEPT, str(number)], cwd=tmp_path) for number in range(1, 7)]
    assert [process.wait(120) for process in started] == [0] * 6
    assert known() == {"a": "fail=6", "b": "pass=6"}


def test_the_same_run_accepted_from_two_machines_counts_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = (tmp_path / "there").absolute()
    for state in ("one", "two"):
        monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / state))
        monkeypatch.setattr("kdevops.results.store._now", lambda: "2026-11-21T08:00:00.000+00:00")
        assert stored({"a": Outcome(S.FAIL, 1.0)}, directory=there) == 1
        told(capsys, "baseline", "accept", "1")
    assert known(there) == {"a": "fail=1"}


REPORTS = Path("baselines/6.1/reports.txt")
KASAN = KernelReport("kasan", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo+0x1", True, "BUG")
NOTICE = KernelReport("ext4 error", "EXT4-fs error", "EXT4-fs error (device vdb)", False, "EXT4")


def test_what_the_kernel_reported_is_red_until_it_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS, reports=(KASAN, NOTICE))})
    assert main(["results", "1"]) == 1
    assert "with no baseline to compare with: 1 pass; KASAN: use-after-free in foo" in capsys.readouterr().out
    difference = told(capsys, "baseline", "diff", "1")
    assert "6.1 kernel reports\n+KASAN: use-after-free in foo\n" in difference
    assert not REPORTS.exists()
    assert f"{REPORTS.absolute()} written\n" in told(capsys, "baseline", "accept", "1")
    assert REPORTS.read_text().splitlines()[-1] == "KASAN: use-after-free in foo"
    assert "EXT4" not in REPORTS.read_text()
    out = told(capsys, "results", "1", "--judge")
    assert out.startswith("Nothing regressed in 1 test that ran (1 pass); 1 known kernel report under 1 test\n")
    assert "  KASAN: use-after-free in foo: known\n" in out
    shown = told(capsys, "baseline", "show")
    assert "6.1: 1 kernel report\n  KASAN: use-after-free in foo\n" in shown
    assert json.loads(told(capsys, "baseline", "show", "--json"))[-1] == {
        "series": "6.1",
        "report": "KASAN: use-after-free in foo",
        "note": "",
    }
    stored({"a": Outcome(S.PASS, reports=(replace(KASAN, signature="KASAN: use-after-free in bar"),))})
    assert main(["results", "2"]) == 1
    assert capsys.readouterr().out.startswith(
        "Regression: 1 kernel report under 1 test, not known: KASAN: use-after-fre"
    )


ALLOWED = Path("baselines/reports.yaml")
ENTRY = """\
- pattern: "KASAN: use-after-free in *"
  reason: a false alarm
  link: https://example.org/1
  until: 2999-12-31
"""


def test_a_report_that_is_allowed_for_a_time_is_told_and_not_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS, reports=(KASAN,))})
    ALLOWED.parent.mkdir()
    ALLOWED.write_text(ENTRY)
    entry = "a false alarm, https://example.org/1, until 2999-12-31"
    assert f"  KASAN: use-after-free in foo: known ({entry})\n" in told(capsys, "results", "1")
    assert f"allowed: KASAN: use-after-free in * ({entry})\n" in told(capsys, "baseline", "show")
    told(capsys, "baseline", "accept", "1")
    assert known()
    assert not REPORTS.exists()


def test_a_list_of_allowed_reports_with_a_mistake_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS)})
    ALLOWED.parent.mkdir()
    ALLOWED.write_text(ENTRY.replace("2999-12-31", "soon"))
    for command in (["results", "1"], ["results", "1", "--format", "junit"], ["baseline", "accept", "1"]):
        assert "reports.yaml:4:3: 0.until: a day such as 2027-01-31 is needed" in told(capsys, *command, code=2)


def test_a_merge_of_known_reports_that_was_left_unresolved_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS)})
    REPORTS.parent.mkdir(parents=True)
    REPORTS.write_text("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n")
    error = told(capsys, "results", "1", code=2)
    assert "reports.txt:2: an unresolved git conflict" in error
    assert "keep the lines of both sides" in error


def test_a_run_without_any_result_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.MISSING)})
    assert "nothing to accept" in told(capsys, "baseline", "accept", "1")
    assert not Path("baselines").exists()


def test_what_goes_on_names_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    stored({"a": Outcome(S.PASS)}, finish=False)
    assert "continue it with: kdevops resume 1" in told(capsys, "baseline", "accept", "1", code=2)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package elsewhere whose baseline knows a test; the working directory is the user's own."""
    directory = tmp_path / "package/baselines"
    table = directory / "6.1/selftests/default.txt"
    table.parent.mkdir(parents=True)
    table.write_text("a  fail=3\nb  pass=1\n")
    monkeypatch.setattr(paths, "data_dir", lambda kind: tmp_path / "package" / kind)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    return directory


def test_an_imported_run_is_never_accepted_into_the_package(
    capsys: pytest.CaptureFixture[str], shipped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in shipped.rglob("*.txt")}
    stored({"a": Outcome(S.PASS)}, directory=shipped, imported=True)
    here = Path("baselines").absolute()
    assert "+a  pass=1 fail=3" in told(capsys, "baseline", "diff", "1")
    assert not here.exists()
    assert f"{here}/6.1/selftests/default.txt written" in told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=1 fail=3", "b": "pass=1"}
    assert {path: path.read_bytes() for path in shipped.rglob("*.txt")} == before
    monkeypatch.chdir(tmp_path)  # from now on the run belongs to that baseline, wherever one is
    assert "accepted already" in told(capsys, "baseline", "accept", "1")
    assert "Nothing regressed in 1 test" in told(capsys, "results", "1")


def test_what_is_here_is_begun_with_and_not_what_is_shipped(capsys: pytest.CaptureFixture[str], shipped: Path) -> None:
    stored({"a": Outcome(S.PASS)}, directory=shipped, imported=True)
    OLD.parent.mkdir(parents=True)
    OLD.write_text("a  pass=7  0.0s\n")
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=8"}


def test_a_run_of_a_shipped_lab_is_not_accepted_into_the_package(
    capsys: pytest.CaptureFixture[str], shipped: Path
) -> None:
    stored({"a": Outcome(S.PASS)}, directory=shipped)
    error = told(capsys, "baseline", "accept", "1", code=2)
    assert f"{shipped} is shipped with kdevops" in error
    assert "baseline" in error.splitlines()[1]
    assert "+a  pass=1 fail=3" in told(capsys, "baseline", "diff", "1")


def test_who_works_in_the_checkout_accepts_into_it(
    capsys: pytest.CaptureFixture[str], shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored({"a": Outcome(S.PASS)}, directory=shipped)
    monkeypatch.chdir(shipped.parent)
    told(capsys, "baseline", "accept", "1")
    assert known() == {"a": "pass=1 fail=3", "b": "pass=1"}
