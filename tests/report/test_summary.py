import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kdevops.report.summary import print_summary, summary, summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import headline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.decision.decide import Decided
from kdevops.results.model import Counts, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.verdict import NARROWED, judge_run
from tests.report.samples import BASELINE, PLANNED, RUN, S, tid, verdict
from tests.support.decided import FLAKE, OPEN, regressed

EXPECTED = """\
Regression: 1 test got worse; 8 of 11 tests ran; 1 has no result; 2 failures are
not decided: new:hangs, example; 1 test that ran before skips now: sync:skips; 2
skipped; 1 new; kernel reports under 1 test
run 12 of lab demo, kernel 6.6.12+
compared with the baseline of 6.1 (none for 6.6 yet); none for kunit/default

suite             planned = pass + fail + skip + crash + hang + missing
kunit/default           1      0      1      0       0      0         0
selftests/default      10      3      2      2       1      1         1
all                    11      3      3      2       1      1         1

Known failures: 1 fail
  selftests/default/sync:sync_test
Not in the baseline: 1 pass

Regressed (1)
  selftests/default/futex:run.sh
    was 12 pass; now crash after 3.2 s on demo-1
    Kernel panic - not syncing: sysrq triggered crash
    kernel: BUG: kernel NULL pointer dereference, address: 0000000000000008
    again: regressed: failed again in 6 of 6 runs (61%-100%), with the baseline
    kernel in 0 of 6 runs (0%-39%)
    note: https://bugzilla.kernel.org/show_bug.cgi?id=1
    output: selftests/default/futex:run.sh.log

Not decided yet (2)
  selftests/default/new:hangs
    not in the baseline; now hang after 600.0 s on demo-1
    the guest stopped answering [/red]
  kunit/default/example
    fail after 0.1 s
    1 of 2 cases failed
    failed: mark # SKIP

Known flakes: fail as often as before (1)
  selftests/default/mqueue:open
    was 12 pass, 4 fail, bad in 25% (10%-49%); now fail after 1.0 s on demo-2
    exit code 1
    output: selftests/default/mqueue:open.log

Skipped now, ran before (1)
  selftests/default/sync:skips
    was 3 pass; now skip
    CONFIG_SYNC is not set
  if that is right: list them under verdict.allow_skips in the lab, or accept
  the run

Fixed (1)
  selftests/default/timers:posix
    was 3 fail; now pass

Kernel reports during tests (1)
    1  WARNING: CPU: 0 PID: 12 at fs/inode.c:12

No result (1)
    1  no result yet
  selftests/default/splice:short

Skipped (2)
    1  CONFIG_SYNC is not set
    1  no zram device

Test output is in /var/lib/kdevops/runs/12

Next
  see why    kdevops results 12 --test selftests/default/futex:run.sh
  run again  kdevops rerun 12
  decide     kdevops decide 12
"""
WHERE = Path("/var/lib/kdevops/runs/12")


def test_the_whole_summary_at_80_columns() -> None:
    assert summary_text(RUN, verdict(), kernel="6.6.12+", directory=WHERE) == EXPECTED


def test_a_terminal_gets_the_same_words_in_colour() -> None:
    console = Console(record=True, width=80, force_terminal=True, color_system="standard", file=io.StringIO())
    console.print(summary(RUN, verdict(), kernel="6.6.12+", directory=WHERE))
    coloured = console.export_text(styles=True, clear=False)
    plain = "".join(f"{line.rstrip()}\n" for line in console.export_text().splitlines())
    assert plain == EXPECTED
    assert coloured.startswith("\x1b[1;31mRegression")


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Console(width=80, force_terminal=True).print(summary(RUN, verdict()))
    assert "\x1b[3" not in capsys.readouterr().out


def statuses(*given: Status, known: bool = True, worse: bool = False) -> str:
    planned = [tid(name) for name in list(BASELINE.tables["selftests", "default"].entries)[: len(given)]]
    outcomes = {test: Outcome(status) for test, status in zip(planned, given, strict=True)}
    baseline = BASELINE if known else Baseline("6.1")
    decisions = regressed(planned[0]) if worse else {}
    return headline(
        RUN, judge_run(planned, outcomes, baseline, explain=lambda _: f"{NARROWED} to these", decisions=decisions)
    )


def test_headlines() -> None:
    of_7 = "of the 7 tests in the baseline"
    assert statuses(S.PASS, S.PASS) == f"Nothing regressed in 2 tests that ran (2 pass); 2 {of_7}"
    assert statuses(S.PASS, S.PASS, S.FAIL) == f"Nothing regressed in 3 tests that ran (2 pass, 1 fail); 3 {of_7}"
    assert statuses(S.FAIL) == (
        f"Undecided: 1 failure is not decided: futex:run.sh; nothing else regressed in 1 test that ran (1 fail); 1 {of_7}"
    )
    assert statuses(S.FAIL, S.MISSING) == (
        "Incomplete: 1 of 2 tests has no result; 1 failure is not decided: futex:run.sh; "
        f"nothing else regressed in 1 test that ran (1 fail); 2 {of_7}"
    )
    assert statuses(S.FAIL, worse=True) == f"Regression: 1 test got worse; 1 of 1 test ran; 1 {of_7}"
    assert statuses(S.FAIL, S.PASS, S.FAIL, S.CRASH, worse=True) == (
        f"Regression: 1 test got worse; 4 of 4 tests ran; 1 failure is not decided: timers:posix; 4 {of_7}"
    )
    assert statuses(S.PASS, S.MISSING) == (
        f"Incomplete: 1 of 2 tests has no result; nothing regressed in 1 test that ran (1 pass); 2 {of_7}"
    )
    assert statuses(S.SKIP, S.SKIP) == (
        f"Nothing ran: 2 tests planned, 2 skip; 2 tests that ran before skip now: futex:run.sh, mqueue:open; 2 {of_7}"
    )
    assert statuses(S.MISSING, S.MISSING) == f"Nothing ran: 2 tests planned, 2 missing; 2 {of_7}"
    assert statuses(S.PASS, S.FAIL, known=False) == (
        "Undecided: 1 failure is not decided: mqueue:open; no baseline yet for 2 tests that ran (1 pass, 1 fail)"
    )
    assert statuses(S.FAIL, S.PASS, known=False, worse=True) == (
        "1 test of 2 failed, with no baseline to compare with: 1 pass, 1 fail; 2 of 2 tests ran"
    )
    assert statuses(S.PASS, S.SKIP, known=False) == "No baseline yet for 1 test that ran (1 pass); 1 skipped"
    assert statuses(S.PASS, S.MISSING, known=False) == (
        "Incomplete: 1 of 2 tests has no result; no baseline yet for 1 test that ran (1 pass)"
    )


def test_an_interrupted_run_says_how_to_go_on() -> None:
    interrupted = replace(RUN, state=RunState.INTERRUPTED)
    text = summary_text(interrupted, judge_run(PLANNED, {tid("size:get_size"): Outcome(S.PASS)}, BASELINE))
    assert text.startswith("Interrupted: 10 of 11 tests have no result")
    assert "  continue  kdevops resume 12\n" in text


def test_a_complete_run_that_differs_may_be_accepted() -> None:
    fixed = judge_run([tid("timers:posix")], {tid("timers:posix"): Outcome(S.PASS)}, BASELINE)
    assert "  accept  kdevops baseline accept 12\n" in summary_text(RUN, fixed)
    as_before = judge_run([tid("size:get_size")], {tid("size:get_size"): Outcome(S.PASS)}, BASELINE)
    assert "Next" not in summary_text(RUN, as_before)


@pytest.mark.parametrize(
    ("decisions", "known", "accept"),
    [
        ({}, True, False),
        ({tid("size:get_size"): OPEN}, True, False),
        (regressed(tid("size:get_size")), True, False),
        (regressed(tid("size:get_size")), False, False),
        ({tid("size:get_size"): FLAKE}, True, True),
        # Without a baseline all of it is new: accepting it is how one begins.
        ({}, False, True),
    ],
)
def test_what_regressed_or_is_not_decided_is_not_offered_to_be_taken_for_known(
    decisions: dict[TestId, Decided], known: bool, accept: bool
) -> None:
    ended = {tid("size:get_size"): Outcome(S.FAIL), tid("timers:posix"): Outcome(S.PASS)}
    baseline = BASELINE if known else Baseline("6.1")
    text = summary_text(RUN, judge_run(list(ended), ended, baseline, decisions=decisions))
    assert ("  kdevops baseline accept 12\n" in text) == accept
    assert ("  kdevops decide 12\n" in text) == (decisions.get(tid("size:get_size"), OPEN) is OPEN)


def test_an_imported_failure_is_accepted_for_nothing_can_decide_on_it() -> None:
    imported = replace(RUN, record={"imported": {"directory": "/srv/results"}})
    ended = {tid("size:get_size"): Outcome(S.FAIL), tid("timers:posix"): Outcome(S.PASS)}
    text = summary_text(imported, judge_run(list(ended), ended, BASELINE, can_rerun=False))
    assert "  kdevops baseline accept 12\n" in text
    assert "kdevops decide" not in text


def test_crashes_that_cannot_run_again_are_told_as_what_they_look_like() -> None:
    ended = {
        tid("futex:run.sh"): Outcome(S.CRASH, 1.0, "panic"),
        tid("size:get_size"): Outcome(S.FAIL, 1.0),
        tid("new:hangs"): Outcome(S.HANG, 2.0),
        tid("example", "kunit"): Outcome(S.CRASH, 3.0),
    }
    text = summary_text(RUN, judge_run(list(ended), ended, BASELINE, can_rerun=False), width=200)
    assert text.startswith(
        "Regression: 1 test got worse, 2 new tests fail; 4 of 4 tests ran; 1 failure is not decided: size:get_size; "
    )
    for title, test in (
        ("Regressed", "selftests/default/futex:run.sh"),
        ("New failures", "selftests/default/new:hangs"),
        ("Failures without a baseline", "kunit/default/example"),
        ("Not decided yet", "selftests/default/size:get_size"),
    ):
        assert f"\n{title} (1)\n  {test}\n" in text
    assert "baseline accept" not in text


def test_many_failures_are_counted_and_not_all_told() -> None:
    planned = [tid(f"t{number}") for number in range(100)]
    for decisions, title in (({}, "Not decided yet"), (regressed(*planned), "Regressed")):
        judged = judge_run(planned, {test: Outcome(S.FAIL) for test in planned}, BASELINE, decisions=decisions)
        text = summary_text(RUN, judged)
        assert f"{title} (100)" in text
        assert "and 90 more, listed by: kdevops results 12 --format mail\n" in text
        assert len(text.splitlines()) < 70


def test_skips_are_grouped_by_reason() -> None:
    planned = [tid(f"t{number}") for number in range(40)]
    outcomes = {test: Outcome(S.SKIP, reason=f"reason {max(0, n - 20)}") for n, test in enumerate(planned)}
    lines = summary_text(RUN, judge_run(planned, outcomes, BASELINE)).splitlines()
    at = lines.index("Skipped (40)")
    assert lines[at + 1] == "   21  reason 0"
    assert lines[at + 11] == "   10  for 10 other reasons"


def test_only_the_subtests_that_fail_by_themselves_are_named() -> None:
    subtests = (
        Subtest("a / b / c", S.FAIL),
        Subtest("a / b", S.FAIL),
        Subtest("a", S.FAIL),
        Subtest("d", S.MISSING),
        Subtest("e", S.PASS),
        *(Subtest(f"f{n}", S.FAIL) for n in range(5)),
    )
    text = summary_text(RUN, judge_run([tid("x")], {tid("x"): Outcome(S.FAIL, subtests=subtests)}, BASELINE))
    assert "failed: a / b / c, d, f0, f1, f2 and 2 more\n" in text


@given(st.text(max_size=200), st.sampled_from([S.FAIL, S.CRASH, S.SKIP]))
def test_nothing_a_guest_says_breaks_the_page(said: str, status: Status) -> None:
    outcome = Outcome(status, reason=said, guest=said, output=said, oops=said, subtests=(Subtest(said, S.FAIL),))
    text = summary_text(RUN, judge_run([tid("x")], {tid("x"): outcome}, BASELINE))
    assert "\ncompared with" in text
    assert "\x1b" not in text
    text.encode()


def test_json_has_every_test_and_adds_up() -> None:
    data = json.loads(json.dumps(summary_json(RUN, verdict(), kernel="6.6.12+", directory=WHERE)))
    assert (data["run"], data["exit_code"], data["complete"], data["state"]) == (12, 1, False, "incomplete")
    assert data["planned"] == len(PLANNED) == sum(data["counts"].values()) == len(data["tests"])
    assert [suite["baseline"] for suite in data["suites"]] == [None, "6.1"]
    first = data["tests"][0]
    assert (first["name"], first["verdict"], first["status"], first["was"]) == (
        "futex:run.sh",
        "regressed",
        "crash",
        {"pass": 12},
    )
    assert first["oops"] == "BUG: kernel NULL pointer dereference, address: 0000000000000008"
    assert data["tests"][-1]["status"] == "missing"


def test_profiles_of_one_suite_are_told_by_their_names() -> None:
    planned = [TestId("fstests", profile, "generic/001") for profile in ("xfs_crc_rtdev_extsize_28k", "xfs_crc")]
    lines = summary_text(RUN, judge_run(planned, {test: Outcome(S.PASS) for test in planned}, BASELINE)).splitlines()
    assert [line.split()[:3] for line in lines[4:8]] == [
        ["fstests", "planned", "="],
        ["xfs_crc", "1", "1"],
        ["xfs_crc_rtdev_extsize_28k", "1", "1"],
        ["all", "2", "2"],
    ]


def test_many_complaints_are_told_once() -> None:
    planned = [tid(f"t{number}") for number in range(40)]
    said = "WARNING: CPU: {} PID: 12 at fs/inode.c:{}\n"
    outcomes = {test: Outcome(S.PASS, oops=said.format(n, n // 30)) for n, test in enumerate(planned)}
    lines = summary_text(RUN, judge_run(planned, outcomes, BASELINE)).splitlines()
    at = lines.index("Kernel reports during tests (40)")
    assert lines[at + 1 : at + 4] == [
        "   30  WARNING: CPU: … PID: … at fs/inode.c:0",
        "   10  WARNING: CPU: … PID: … at fs/inode.c:1",
        "",
    ]


def test_known_failures_and_missing_tests_are_named_up_to_ten() -> None:
    planned = [tid(f"t{number:02}") for number in range(30)]
    known = {test.name: Entry(Counts({S.FAIL: 3, S.CRASH: 1})) for test in planned[:12]}
    outcomes = {test: Outcome(S.CRASH if test == planned[0] else S.FAIL) for test in planned[:12]}
    baseline = Baseline("6.6", {("selftests", "default"): Table("6.6", known)})
    lines = summary_text(RUN, judge_run(planned, outcomes, baseline)).splitlines()
    at = lines.index("Known failures: 11 fail, 1 crash")
    assert lines[at + 1 : at + 3] == ["  selftests/default/t00 (crash)", "  selftests/default/t01"]
    assert lines[at + 11] == "  and 2 more: kdevops results 12 --list known-failure"
    at = lines.index("No result (18)")
    assert lines[at + 1 : at + 3] == ["   18  no result yet", "  selftests/default/t12"]
    assert lines[at + 12] == "  and 8 more: kdevops results 12 --list missing"


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_still_tells_which_profile_is_which(width: int) -> None:
    lines = summary_text(RUN, verdict(), width=width).splitlines()
    joined = " ".join(" ".join(lines).split())
    assert "kunit/default: 1 planned = 1 fail" in joined
    assert "selftests/default: 10 planned = 3 pass + 2 fail + 2 skip + 1 crash + 1 hang + 1 missing" in joined
    assert "all: 11 planned" in joined
    assert max(map(len, lines)) <= width


def test_a_long_profile_is_folded_in_the_table_where_that_leaves_enough() -> None:
    name = "xfs_crc_rtdev_extsize_28k_with_a_longer_name"
    text = summary_text(RUN, judge_run([TestId("fstests", name, "x")], {}, BASELINE))
    assert f"fstests/{name}"[:20] in text
    assert "planned = pass" in text


def test_a_pipe_gets_lines_as_long_as_they_are(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_summary(RUN, verdict(), kernel="6.6.12+", directory=WHERE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "Regression: 1 test got worse; 8 of 11 tests ran; 1 has no result; 2 failures are not decided: new:hangs, example;"
        " 1 test that ran before skips now: sync:skips; 2 skipped; 1 new; kernel reports under 1 test"
    )
    unfolded = "\n".join(EXPECTED.splitlines()[3:]).replace("accept\n  the run", "accept the run")
    assert "\n".join(lines[1:]) == unfolded.replace("baseline\n    kernel in 0", "baseline kernel in 0")
    test = TestId("commands", "default", "x" * 300)
    print_summary(RUN, judge_run([test], {test: Outcome(S.FAIL, reason="y " * 200)}, BASELINE))
    out = capsys.readouterr().out
    assert f"  commands/default/{'x' * 300}\n" in out
    assert f"    {'y ' * 199}y\n" in out


def test_a_terminal_gets_lines_that_fit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_summary(RUN, verdict())
    out = capsys.readouterr().out
    assert "\x1b[" in out
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()) <= 40
