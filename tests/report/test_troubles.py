"""What the kernel reported under tests, and what of the baseline was not planned, in every report."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kdevops.report import single
from kdevops.report.junit import junit
from kdevops.report.live import Display
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import headline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.reports import KnownReports
from kdevops.results.events import TestEnded
from kdevops.results.model import Counts, KernelReport, Outcome, Status, TestId
from kdevops.results.verdict import RunVerdict, judge_run
from tests.report.samples import BASELINE, RUN, S, tid
from tests.support.decided import regressed

KASAN = KernelReport(
    "kasan", "KASAN: slab-out-of-bounds in foo", "BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2", True, "BUG: KASAN\nx"
)
WARNING = KernelReport("warning", "WARNING in bar", "WARNING: CPU: 0 PID: 12 at bar", True, "WARNING\ny")
NOTICE = KernelReport("ext4 error", "EXT4-fs error", "EXT4-fs error (device vdb): x", False, "EXT4-fs error")
OUTCOMES = {
    tid("size:get_size"): Outcome(S.PASS, 1.0, reports=(KASAN, NOTICE, KASAN), reports_cut=2),
    tid("zram:zram.sh"): Outcome(S.SKIP, reason="no zram device", reports=(WARNING,)),
    tid("sync:sync_test"): Outcome(S.FAIL, 2.0, reports=(KASAN,)),
    tid("splice:short"): Outcome(S.PASS, 1.0),
}
RUN_HERE = replace(RUN, record={"kernel": {"release": "6.6.12+"}})


def verdict(*known: str) -> RunVerdict:
    baseline = replace(BASELINE, reports=KnownReports("6.1", dict.fromkeys(known, "")))
    return judge_run(
        list(OUTCOMES), OUTCOMES, baseline, explain=lambda test: "" if test.name < "n" else "suites.selftests.skip"
    )


def test_the_summary_tells_each_trouble_once_and_names_the_tests_of_what_nobody_knows() -> None:
    text = summary_text(RUN, verdict(WARNING.signature))
    assert (
        "\nKernel reports during tests (3)\n"
        "    3  KASAN: slab-out-of-bounds in foo: not known\n"
        "       selftests/default/size:get_size, selftests/default/sync:sync_test\n"
        "    1  WARNING in bar: known\n"
        "    1  EXT4-fs error: a notice\n"
    ) in text
    assert text.index("Kernel reports during tests") < text.index("Skipped (1)")
    assert "  see why  kdevops results 12 --test selftests/default/size:get_size\n" in text
    assert "baseline accept" not in text, "what the kernel reported is to be looked at first"


def test_the_summary_names_what_was_lost_and_counts_what_was_chosen() -> None:
    text = summary_text(RUN, verdict(), width=100)
    assert (
        "\nIn the baseline, but not planned (4)\n"
        "    2  unknown reason\n"
        "    2  suites.selftests.skip\n"
        "  selftests/default/futex:run.sh\n"
        "  selftests/default/mqueue:open\n"
        "  if they are gone for good: kdevops baseline annotate TEST --gone; if you do not"
    ) in text


def test_headlines_of_reports() -> None:
    red = headline(RUN, verdict())
    assert red.startswith(
        "Regression: 2 kernel reports under 3 tests, not known: KASAN: slab-out-of-bounds in foo, WARNING in bar; "
        "3 of 4 tests ran; 2 tests of the baseline were not planned"
    )
    known = headline(RUN, verdict(KASAN.signature, WARNING.signature))
    assert known.startswith("Coverage lost: 2 tests of the baseline were not planned for unknown reasons: ")
    assert known.endswith("2 known kernel reports under 3 tests")
    nothing = judge_run([tid("a")], {tid("a"): Outcome(S.PASS, reports=(KASAN,))}, Baseline("6.1"))
    assert headline(RUN, nothing) == (
        "1 kernel report under 1 test, with no baseline to compare with: 1 pass; "
        "KASAN: slab-out-of-bounds in foo; 1 of 1 test ran"
    )
    failed = {tid("a"): Outcome(S.FAIL, reports=(KASAN,))}
    undecided = judge_run([tid("a")], failed, Baseline("6.1"))
    assert headline(RUN, undecided) == (
        "1 kernel report under 1 test, with no baseline to compare with: 1 fail; "
        "KASAN: slab-out-of-bounds in foo; 1 of 1 test ran; 1 failure is not decided: a"
    )
    both = judge_run([tid("a")], failed, Baseline("6.1"), decisions=regressed(tid("a")))
    assert headline(RUN, both).startswith("1 test of 1 failed and 1 kernel report under 1 test, with no baseline")


def test_the_report_of_a_crash_that_is_not_decided_is_told_as_what_makes_the_run_red() -> None:
    test = tid("size:get_size")
    crash = {test: Outcome(S.CRASH, 1.0, "panic", oops=KASAN.text, reports=(KASAN,))}
    undecided = judge_run([test], crash, BASELINE, explain=lambda _: "x")
    assert headline(RUN, undecided).startswith(
        "Regression: 1 kernel report under 1 test, not known: KASAN: slab-out-of-bounds in foo; 1 of 1 test ran; "
        "1 failure is not decided: size:get_size"
    )
    text = summary_text(RUN, undecided, width=120)
    assert "\n    1  KASAN: slab-out-of-bounds in foo: not known\n       selftests/default/size:get_size\n" in text
    assert "\nNot decided yet (1)\n  selftests/default/size:get_size\n    was 9 pass; now crash" in text
    assert "baseline accept" not in text
    decided = judge_run([test], crash, BASELINE, explain=lambda _: "x", decisions=regressed(test))
    assert headline(RUN, decided).startswith("Regression: 1 test got worse; 1 of 1 test ran; ")


def counted(ran: int, skipped: int, known: int) -> str:
    planned = [tid(f"t{number:03}") for number in range(ran + skipped)]
    outcomes = {test: Outcome(S.PASS if n < ran else S.SKIP) for n, test in enumerate(planned)}
    table = Table("6.6", {f"t{number:03}": Entry(Counts({S.PASS: 1})) for number in range(known)})
    baseline = Baseline("6.6", {("selftests", "default"): table})
    return headline(RUN, judge_run(planned, outcomes, baseline, explain=lambda _: "suites.selftests.skip"))


def test_the_headline_says_how_little_ran() -> None:
    assert counted(1, 299, 300) == (
        "Coverage lost: 299 tests that ran before skip now: t001, t002, t003 and 296 more; "
        "nothing regressed in 1 test that ran (1 pass); 299 skipped"
    )
    assert counted(20, 0, 300) == (
        "Nothing regressed in 20 tests that ran (20 pass); "
        "20 of the 300 tests in the baseline, without t020, t021, t022 and 277 more"
    )
    assert counted(3, 0, 2) == "Nothing regressed in 3 tests that ran (3 pass); 1 new"
    assert counted(0, 3, 3).startswith("Nothing ran: 3 tests planned, 3 skip")


def test_json_tells_reports_and_what_is_absent() -> None:
    data = json.loads(json.dumps(summary_json(RUN, verdict(WARNING.signature))))
    assert (data["exit_code"], data["ran"], data["ever_ran"]) == (1, 3, 7)
    assert data["reports"] == [
        {
            "signature": "KASAN: slab-out-of-bounds in foo",
            "said": "not known",
            "times": 3,
            "tests": 2,
            "beside": [],
            "allowed": None,
        },
        {"signature": "WARNING in bar", "said": "known", "times": 1, "tests": 1, "beside": [], "allowed": None},
        {"signature": "EXT4-fs error", "said": "a notice", "times": 1, "tests": 1, "beside": [], "allowed": None},
    ]
    tests = {each["name"]: each for each in data["tests"]}
    assert tests["zram:zram.sh"]["reports"] == [
        {
            "kind": "warning",
            "signature": "WARNING in bar",
            "title": "WARNING: CPU: 0 PID: 12 at bar",
            "gates": True,
            "known": True,
            "said": "known",
        }
    ]
    assert [each["gates"] for each in tests["size:get_size"]["reports"]] == [True, False, True]
    assert tests["size:get_size"]["reports_cut"] == 2
    assert {(each["name"], each["why"]) for each in data["absent"]} == {
        ("futex:run.sh", None),
        ("mqueue:open", None),
        ("sync:skips", "suites.selftests.skip"),
        ("timers:posix", "suites.selftests.skip"),
    }


def test_the_mail_tells_them() -> None:
    text = mail(RUN_HERE, verdict(WARNING.signature))
    assert (
        "\nKernel reports under 3 tests:\n"
        "    3  KASAN: slab-out-of-bounds in foo: not known\n"
        "       size:get_size, sync:sync_test (was 3 fail)\n"
        "    1  WARNING in bar: known\n"
        "       zram:zram.sh\n"
    ) in text
    assert (
        "\nIn the baseline, but not planned: 4\n"
        "    2  unknown reason\n"
        "       futex:run.sh, mqueue:open\n"
        "    2  suites.selftests.skip\n"
    ) in text


def test_junit_is_red_where_the_run_is() -> None:
    root = ET.fromstring(junit(RUN, verdict(WARNING.signature)).encode())
    assert {key: root.attrib[key] for key in ("failures", "errors", "skipped")} == {
        "failures": "1",
        "errors": "2",  # tests of the baseline that were not planned are the other
        "skipped": "1",
    }
    error = root.find(".//testcase[@name='size:get_size']/error[@type='kernel report']")
    assert error is not None
    assert error.attrib["message"] == ("pass, with unknown kernel reports: KASAN: slab-out-of-bounds in foo")
    assert error.text == "BUG: KASAN\nx\nEXT4-fs error"
    skipped = root.find(".//testcase[@name='zram:zram.sh']/skipped")
    assert skipped is not None
    told = root.findall(".//testcase[@name='zram:zram.sh']/properties/property[@name='kernel-report']")
    assert [each.attrib["value"] for each in told] == ["WARNING: CPU: 0 PID: 12 at bar (known)"]
    unknown = ET.fromstring(junit(RUN, verdict()).encode())
    assert unknown.find(".//testcase[@name='zram:zram.sh']/error[@type='kernel report']") is not None
    assert (unknown.attrib["skipped"], unknown.attrib["errors"]) == ("0", "3")


def lines(term: str | None) -> list[str]:
    file = io.StringIO()
    environment = {"TERM": term} if term else {}
    console = Console(file=file, width=200, force_terminal=term is not None, color_system=None, _environ=environment)
    display = Display(console)
    for test, outcome in OUTCOMES.items():
        display.handle(TestEnded(test, outcome))
    crash = Outcome(S.CRASH, 1.0, "panic", oops="x", reports=(KASAN,))
    display.handle(TestEnded(tid("crashes"), crash))
    return [line.partition("] ")[2] for line in file.getvalue().splitlines()]


def test_a_live_line_tells_what_the_kernel_reported() -> None:
    title = "kernel: BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2"
    expected = [
        f"pass    selftests/default/size:get_size  1.0 s  {title} and 3 more",
        "skip    selftests/default/zram:zram.sh  0.0 s  no zram device  kernel: WARNING: CPU: 0 PID: 12 at bar",
        f"fail    selftests/default/sync:sync_test  2.0 s  {title}",
        "pass    selftests/default/splice:short  1.0 s",
        "crash   selftests/default/crashes  1.0 s  panic",
    ]
    assert lines(None) == expected
    assert lines("xterm") == [line for line in expected if "splice" not in line], "quiet only where all is well"


def test_one_test_is_told_with_all_its_reports(tmp_path: Path) -> None:
    test = tid("size:get_size")
    outcome = Outcome(S.CRASH, 1.0, oops=KASAN.text, reports=(KASAN, NOTICE), reports_cut=3)
    text = "\n".join(single.told(1, {test: outcome}, tmp_path))
    assert text.count("BUG: KASAN\nx") == 1
    assert "kernel report EXT4-fs error (a test may provoke this):\nEXT4-fs error\n" in text
    assert "and 3 more kernel reports, which were not kept" in text
    line = single.line(test, Outcome(S.PASS, 1.0, reports=(KASAN,)))
    assert line == f"{test}: pass after 1.0 s, kernel: {KASAN.title}"
    facts = json.loads(json.dumps(single.facts(test, outcome, tmp_path)))
    assert [each["signature"] for each in facts["reports"]] == [KASAN.signature, NOTICE.signature]


STRAY = {**asdict(KASAN), "guest": "demo-1", "when": "at boot"}


def test_what_no_test_is_to_blame_for_is_told_with_when_and_where_it_was_said() -> None:
    test = tid("size:get_size")
    baseline = Baseline("6.6", {("selftests", "default"): Table("6.6", {test.name: Entry(Counts({S.PASS: 1}))})})
    judged = judge_run([test], {test: Outcome(S.PASS)}, baseline, strays_said=[STRAY])
    assert headline(RUN, judged) == (
        "Regression: 1 kernel report outside of tests, not known: KASAN: slab-out-of-bounds in foo; 1 of 1 test ran"
    )
    text = summary_text(RUN, judged)
    assert "\nKernel reports\n    1  KASAN: slab-out-of-bounds in foo: not known\n       at boot on demo-1\n" in text
    assert "baseline accept" not in text
    told = mail(RUN_HERE, judged)
    assert "\nKernel reports outside of tests:\n    1  KASAN: slab-out-of-bounds in foo: not known\n" in told
    assert summary_json(RUN, judged)["reports"] == [
        {
            "signature": KASAN.signature,
            "said": "not known",
            "times": 1,
            "tests": 0,
            "beside": ["at boot on demo-1"],
            "allowed": None,
        }
    ]
    both = judge_run([test], {test: Outcome(S.PASS, reports=(KASAN,))}, baseline, strays_said=[STRAY])
    assert headline(RUN, both).startswith("Regression: 1 kernel report under 1 test and outside of tests, not known: ")


hostile = st.text(max_size=60)


@given(hostile, hostile, st.sampled_from(list(Status)), st.booleans())
def test_nothing_that_a_report_says_breaks_a_page(said: str, other: str, status: Status, gates: bool) -> None:
    outcome = Outcome(status, reports=(KernelReport(said, other, said, gates, other),))
    judged = judge_run([TestId("s", "p", "x")], {TestId("s", "p", "x"): outcome}, BASELINE)
    for text in (summary_text(RUN, judged), mail(RUN_HERE, judged), headline(RUN, judged)):
        assert "\x1b" not in text
        text.encode()
    assert "\n" not in headline(RUN, judged)
    ET.fromstring(junit(RUN, judged).encode())
    json.dumps(summary_json(RUN, judged))
