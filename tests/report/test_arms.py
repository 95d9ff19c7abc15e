import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kdevops.report.junit import junit
from kdevops.report.kernels import described
from kdevops.report.ktap import ktap
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, RunState
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, RunVerdict, judge_run
from tests.report.samples import RUN, S, tid
from tests.support.decided import regressed


def record(*cmdline: str, **kernel: Any) -> dict[str, Any]:
    made = {"release": "6.1.176", "source": "linux-source-6.1", "build_id": "ab" * 20, **kernel}
    spec = {"config": {"base": "lean", "fragments": [], "options": []}, "compiler": "gcc"}
    return {"kernel": {"spec": spec, **made}, "lab": {"kernel": {"cmdline": list(cmdline)}}}


A = Run(5, "ab", RunState.COMPLETE, RUN.created, RUN.ended, record("kd.old"))
B = Run(6, "ab-dev", RunState.COMPLETE, RUN.created, RUN.ended, record("kd.new"))
BESIDE = {
    tid("both-fail"): Outcome(S.FAIL, 1.0, "exit code 1"),
    tid("breaks"): Outcome(S.PASS, 1.0),
    tid("is-mended"): Outcome(S.FAIL, 1.0, "exit code 1"),
    tid("hung-there"): Outcome(S.HANG, 60.0),
    tid("fine"): Outcome(S.PASS, 1.0),
}
NOW = {
    tid("both-fail"): Outcome(S.FAIL, 1.0, "exit code 1"),
    tid("breaks"): Outcome(S.FAIL, 1.5, "exit code 1", guest="ab-dev-1"),
    tid("is-mended"): Outcome(S.PASS, 1.0),
    tid("hung-there"): Outcome(S.PASS, 1.0),
    tid("fine"): Outcome(S.PASS, 1.0),
}


def verdict(
    known: dict[str, Entry] | None = None, *, run: Run = A, now: dict[Any, Outcome] = NOW, decided: bool = True
) -> RunVerdict:
    tables = {("selftests", "default"): Table("6.1", known)} if known else {}
    decisions = regressed(tid("breaks")) if decided else {}
    return judge_run(list(now), now, Baseline("6.1", tables), arm=Arm(run, BESIDE), decisions=decisions)


EXPECTED = """\
Regression: 1 test got worse; 5 of 5 tests ran
run 6 of lab ab-dev, kernel 6.1.176
compared with run 5 of lab ab; no baseline for 6.1 or an older series

Baseline kernel, run 5: 6.1.176, linux-source-6.1, parameters kd.old
  2 pass, 2 fail, 1 hang
Under test, run 6: 6.1.176, linux-source-6.1, parameters kd.new
  3 pass, 2 fail

suite             planned = pass + fail + skip + crash + hang + missing
selftests/default       5      3      2      0       0      0         0

Known failures: 1 fail
  selftests/default/both-fail

Regressed (1)
  selftests/default/breaks
    was 1 pass with the baseline kernel; now fail after 1.5 s on ab-dev-1
    exit code 1
    again: regressed: failed again in 6 of 6 runs (61%-100%), with the baseline
    kernel in 0 of 6 runs (0%-39%)

Fixed (1)
  selftests/default/is-mended
    was 1 fail with the baseline kernel; now pass

Other differences from the baseline kernel (1)
  selftests/default/hung-there
    was 1 hang with the baseline kernel; now pass

Next
  see why  kdevops results 6 --test selftests/default/breaks
"""


def test_the_summary_tells_both_runs_and_where_they_differ() -> None:
    assert summary_text(B, verdict(), kernel="6.1.176") == EXPECTED


def test_until_reruns_have_decided_it_is_told_as_not_decided() -> None:
    text = summary_text(B, verdict(decided=False), width=120)
    assert text.startswith("Undecided: 1 failure is not decided: breaks; ")
    assert "Regress" not in text
    assert (
        "\nNot decided yet (1)\n  selftests/default/breaks\n"
        "    was 1 pass with the baseline kernel; now fail after 1.5 s on ab-dev-1\n"
    ) in text
    assert "  decide   kdevops decide 6\n" in text
    assert "  accept   kdevops baseline accept 5\n" in text, "what the baseline kernel did is known nowhere"
    assert "  Not decided yet: breaks\n" in mail(B, verdict(decided=False))


def test_what_is_stored_is_told_beside_what_the_other_kernel_did() -> None:
    known = {name.name: Entry(Counts({S.PASS: 9})) for name in NOW}
    text = summary_text(B, verdict(known), width=100)
    assert "compared with run 5 of lab ab and the baseline of 6.1\n" in text
    assert "    was 9 pass, and 1 pass with the baseline kernel; now fail after 1.5 s on ab-dev-1\n" in text
    is_open = summary_text(B, verdict(known, decided=False), width=100)
    assert "baseline accept" not in is_open, "all that the baseline kernel did is there already"


def test_what_the_other_kernel_gave_no_result_for_is_said() -> None:
    incomplete = replace(A, state=RunState.INCOMPLETE)
    now = {**NOW, tid("breaks"): Outcome(S.PASS), tid("only-here"): Outcome(S.SKIP)}
    text = summary_text(B, verdict(run=incomplete, now=now), width=100)
    assert text.startswith(
        "Incomplete: run 5 of the baseline kernel lacks results; nothing regressed in 5 tests that ran"
    )
    assert "No result with the baseline kernel: 1 test\n" in text
    text = summary_text(B, verdict(run=incomplete), width=100)
    assert text.startswith(
        "Regression: 1 test got worse; 5 of 5 tests ran; run 5 of the baseline kernel lacks results\n"
    )
    text = summary_text(B, verdict(run=incomplete, decided=False), width=100)
    assert text.startswith(
        "Incomplete: run 5 of the baseline kernel lacks results; 1 failure is not decided: breaks; nothing"
    )


def test_an_interrupted_baseline_arm_is_gone_on_with() -> None:
    text = summary_text(B, verdict(run=replace(A, state=RunState.INTERRUPTED), now={tid("fine"): Outcome(S.PASS)}))
    assert "  continue  kdevops resume 5\n" in text


def test_json_tells_both_arms_and_both_statuses() -> None:
    data = json.loads(json.dumps(summary_json(B, verdict(), kernel="6.1.176")))
    arms = data["arms"]
    assert {name: arm["run"] for name, arm in arms.items()} == {"baseline": 5, "dev": 6}
    assert arms["baseline"] == {
        "run": 5,
        "lab": "ab",
        "state": "complete",
        "kernel": "6.1.176, linux-source-6.1, parameters kd.old",
        "planned": 5,
        "counts": {"pass": 2, "fail": 2, "skip": 0, "crash": 0, "hang": 1, "missing": 0},
    }
    assert arms["dev"]["kernel"].endswith("kd.new")
    tests = {each["name"]: each for each in data["tests"]}
    assert (tests["breaks"]["baseline_status"], tests["breaks"]["status"]) == ("pass", "fail")
    assert tests["breaks"]["was"] is None
    assert tests["hung-there"]["baseline_status"] == "hang"


def test_json_of_a_run_without_arms_says_so() -> None:
    data = summary_json(B, judge_run(list(NOW), NOW, Baseline("6.1")))
    assert data["arms"] is None
    assert {each["baseline_status"] for each in data["tests"]} == {None}  # type: ignore[union-attr,index,call-overload]


def test_the_mail_says_what_it_was_compared_with() -> None:
    text = mail(B, verdict())
    assert "compared with run 5 of lab ab; no baseline for 6.1 or an older series\n" in text
    assert "Kernel:   6.1.176, linux-source-6.1, parameters kd.new\n" in text
    assert "Baseline: 6.1.176, linux-source-6.1, parameters kd.old\n" in text
    assert "  Regressed: breaks\n" in text
    assert "  Fixed: is-mended\n" in text
    assert "breaks (was 1 pass with the baseline kernel)" in text.replace("\n", " ")


def test_junit_and_ktap_are_of_the_run_under_test() -> None:
    assert 'name="ab-dev run 6"' in junit(B, verdict())
    assert junit(B, verdict()).count("<failure") == 2
    assert "not ok 2 selftests/default/breaks" in ktap(verdict())


def test_kernels_are_told_by_what_they_differ_in() -> None:
    def told(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
        return list(described(replace(A, record=one), replace(B, record=other)))

    spec = {"config": {"base": "lean", "fragments": [], "options": ["CONFIG_PREEMPT=y"]}, "compiler": "clang"}
    plain = "6.1.176, linux-source-6.1"
    assert told(record(), record(release="6.12.1")) == [plain, "6.12.1, linux-source-6.1"]
    assert told(record(), record(spec=spec)) == [
        f"{plain}, lean, gcc",
        f"{plain}, lean, CONFIG_PREEMPT=y, clang",
    ]
    assert told(record(), record("a", "b")) == [f"{plain}, no parameters", f"{plain}, parameters a b"]
    assert told(record(), record(build_id="cd" * 20)) == [
        f"{plain}, build abababababab",
        f"{plain}, build cdcdcdcdcdcd",
    ]
    assert told(record(), record()) == [plain, plain]
    assert told({}, {}) == ["", ""]


@settings(deadline=None)  # it draws a whole page
@given(st.text(max_size=80))
def test_nothing_said_of_a_kernel_breaks_the_page(said: str) -> None:
    beside = replace(A, record=record(said, source=said))
    text = summary_text(B, verdict(run=beside))
    assert "\x1b" not in text
    assert text.splitlines()[2].startswith("compared with run 5")


def test_a_run_directory_is_told_as_ever() -> None:
    assert "Test output is in /runs/6\n" in summary_text(B, verdict(), directory=Path("/runs/6"))
