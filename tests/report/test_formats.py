import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.report.junit import junit
from kdevops.report.ktap import ktap
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.model import Counts, KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.verdict import RunVerdict, judge_run
from kdevops.suites.ktap.parser import parse
from tests.report.samples import BASELINE, PLANNED, RUN, S, tid, verdict
from tests.support.kunit_tree import KernelParser, kunit_directory

hostile = st.text(max_size=40) | st.sampled_from(
    ["ok 1 x", "# SKIP", "1..0", "Bail out!", "]]>", "\ufffe\uffff", "  ok 2 y"]
)


def narrowed(outcomes: dict[TestId, Outcome], **more: Any) -> RunVerdict:
    """A run narrowed to these tests."""
    return judge_run(list(outcomes), outcomes, BASELINE, explain=lambda _: "the run was narrowed", **more)


def test_junit_counts_and_tells() -> None:
    root = ET.fromstring(junit(RUN, verdict()).encode())
    assert {key: root.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "11",
        "failures": "3",
        "errors": "4",
        "skipped": "1",
    }
    skipped = root.find(".//testcase[@name='sync:skips']/error[@type='coverage']")
    assert skipped is not None
    assert skipped.attrib["message"] == "skipped now, ran before: CONFIG_SYNC is not set"
    assert [suite.attrib["name"] for suite in root] == ["selftests/default", "kunit/default"]
    crash = root.find(".//testcase[@name='futex:run.sh']/error")
    assert crash is not None
    assert crash.text is not None
    assert crash.text.startswith("BUG: kernel NULL pointer dereference")
    assert root.find(".//testcase[@name='timers:posix']/properties/property[@value='fixed']") is not None
    assert root.find(".//testcase[@name='splice:short']/error[@type='missing']") is not None
    complaint = root.find(".//testcase[@name='size:get_size']/system-err")
    assert complaint is not None
    assert complaint.text == "WARNING: CPU: 0 PID: 12 at fs/inode.c:12\n"
    assert {case.attrib["name"] for case in root.iter("testcase")} == {test.name for test in PLANNED}


@given(hostile, st.sampled_from(list(Status)))
def test_junit_is_well_formed_whatever_a_guest_says(said: str, status: Status) -> None:
    test = TestId("s", "p", said)
    outcome = Outcome(status, reason=said, guest=said, output=said, oops=said, subtests=(Subtest(said, S.FAIL, said),))
    root = ET.fromstring(junit(RUN, judge_run([test], {test: outcome}, BASELINE)).encode())
    assert root.attrib["tests"] == "1"


def test_ktap_is_read_back_by_our_own_parser() -> None:
    text = ktap(verdict())
    assert text.startswith("KTAP version 1\n1..11\n")
    parsed = parse(text.splitlines())
    assert parsed is not None
    assert parsed.problems == ()
    assert [result.name for result in parsed.results] == [str(test) for test in PLANNED]
    bad = {result.name for result in parsed.results if result.status not in {S.PASS, S.SKIP}}
    well = {str(each.test) for each in verdict().tests if each.outcome.status in {S.PASS, S.SKIP}}
    assert bad == {str(test) for test in PLANNED} - well | {str(tid("sync:skips"))}
    (example,) = (result for result in parsed.results if result.name == "kunit/default/example")
    assert [(child.name, child.status) for child in example.children] == [("simple", S.PASS), ("mark _ SKIP", S.FAIL)]


@given(hostile, st.sampled_from(list(Status)))
def test_no_word_of_a_guest_becomes_a_result(said: str, status: Status) -> None:
    outcome = Outcome(status, reason=said)
    parsed = parse(ktap(narrowed({tid("x"): outcome})).splitlines())
    assert parsed is not None
    (result,) = parsed.results
    assert result.children == ()
    ended_well = {S.PASS: S.PASS, S.SKIP: S.SKIP}
    assert ended_well.get(result.status) == ended_well.get(status)


def test_subtests_that_were_not_kept_are_counted() -> None:
    outcome = Outcome(S.PASS, subtests=(Subtest("a", S.PASS),), subtests_cut=7)
    assert "  # 7 more subtests were not kept\n" in ktap(narrowed({tid("x"): outcome}))


def test_a_reason_that_looks_like_a_result_stands_behind_a_word_of_ours() -> None:
    text = ktap(narrowed({tid("x"): Outcome(S.FAIL, reason="ok 1 y")}))
    assert text == "KTAP version 1\n1..1\n# reason: ok 1 y\nnot ok 1 selftests/default/x\n"


def _ktap_of(outcome: Outcome) -> str:
    return ktap(narrowed({tid("x"): outcome, tid("y"): Outcome(S.PASS)}))


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome(S.CRASH, reason="died in y # SKIP z"), r"not ok 1 selftests/default/x # ERROR died in y \# SKIP z"),
        (Outcome(S.HANG, reason="#todo"), r"not ok 1 selftests/default/x # TIMEOUT \#todo"),
        (Outcome(S.SKIP, reason="a # SKIP b"), r"ok 1 selftests/default/x # SKIP a \# SKIP b"),
        (Outcome(S.FAIL, reason="ok # SKIP b"), r"# reason: ok \# SKIP b"),
        (
            Outcome(S.CRASH, reason="Kernel panic - not syncing: VFS: Unable to mount root fs"),
            "not ok 1 selftests/default/x # ERROR Kernel panic - not syncing: VFS Unable to mount root fs",
        ),
        (
            Outcome(S.FAIL, subtests=(Subtest("- reboot: System halted # SKIP", S.CRASH, "# SKIP"),)),
            r"  not ok 1 reboot System halted _ SKIP # ERROR \# SKIP",
        ),
        (Outcome(S.FAIL, subtests=(Subtest(" - ", S.PASS),)), "  ok 1 (unnamed)"),
    ],
)
def test_words_of_a_guest_are_escaped(outcome: Outcome, line: str) -> None:
    assert line in _ktap_of(outcome).splitlines()


@pytest.fixture(scope="session")
def kernels_parser(request: pytest.FixtureRequest) -> KernelParser:
    return KernelParser(kunit_directory(request.config))


HOSTILE_WORDS = """\
# SKIP|#| |SKIP|# TODO x|ok 1|not ok 2 x|
|KTAP version 1|1..3|# Subtest: x|- |{|}|---|\\|\r|kunit executor: |reboot: System halted|List of all partitions:|:\
|Kernel panic - not syncing: VFS:"""
words = st.lists(st.sampled_from(HOSTILE_WORDS.split("|")), max_size=8).map("".join)
statuses = st.sampled_from(list(Status))
THEIRS = {S.PASS: "success", S.SKIP: "skipped"}


@given(words, words, words, statuses, statuses)
def test_the_kernels_own_parser_reads_what_we_mean(
    kernels_parser: KernelParser, reason: str, name: str, why: str, status: Status, below: Status
) -> None:
    text = _ktap_of(Outcome(status, reason=reason, subtests=(Subtest(name, below, why),)))
    (_, first, nested), (_, second, _) = kernels_parser.statuses(text)
    assert [first, second] == [THEIRS.get(status, "failure"), "success"]
    assert [each[1] for each in nested] == [THEIRS.get(below, "failure")]


def complained() -> RunVerdict:
    """A test that passes with a report that nobody knows, and one report at boot."""
    report = KernelReport("warning", "WARNING in foo", "WARNING: at foo", gates=True, text="WARNING: at foo")
    at_boot = {
        "kind": "ubsan",
        "signature": "UBSAN: shift # SKIP in bar",
        "title": "UBSAN",
        "gates": True,
        "text": "UBSAN",
    }
    outcomes = {tid("x"): Outcome(S.PASS, reports=(report,)), tid("y"): Outcome(S.PASS)}
    said = [{**at_boot, "guest": "lab-1", "when": "at boot"}]
    return narrowed(outcomes, strays_said=said)


def test_ktap_is_not_ok_for_a_kernel_that_complained() -> None:
    parsed = parse(ktap(complained()).splitlines())
    assert parsed is not None
    assert [(result.name, result.status) for result in parsed.results] == [
        (str(tid("x")), S.FAIL),
        (str(tid("y")), S.PASS),
        ("kernel reports outside of tests", S.FAIL),
    ]


def test_junit_has_an_error_for_a_kernel_that_complained() -> None:
    root = ET.fromstring(junit(RUN, complained()).encode())
    assert {name: root.attrib[name] for name in ("tests", "errors", "failures")} == {
        "tests": "3", "errors": "2", "failures": "0",
    }  # fmt: skip
    messages = [error.attrib["message"] for error in root.iter("error")]
    assert messages == ["pass, with unknown kernel reports: WARNING in foo", "UBSAN: shift # SKIP in bar"]


def lost() -> RunVerdict:
    """One test that ran before skips now, and another was not planned."""
    known = Baseline("6.1", {("selftests", "default"): Table("6.1", {n: Entry(Counts({S.PASS: 1})) for n in "xyz"})})
    outcomes = {tid("x"): Outcome(S.PASS), tid("y"): Outcome(S.SKIP, reason="no # SKIP device")}
    return judge_run(list(outcomes), outcomes, known)


def test_coverage_that_was_lost_is_an_error_in_junit() -> None:
    root = ET.fromstring(junit(RUN, lost()).encode())
    assert {name: root.attrib[name] for name in ("tests", "errors", "skipped")} == {
        "tests": "3", "errors": "2", "skipped": "0",
    }  # fmt: skip
    assert [(error.attrib["type"], error.attrib["message"]) for error in root.iter("error")] == [
        ("coverage", "skipped now, ran before: no # SKIP device"),
        ("coverage", "selftests/default/z"),
    ]


def test_coverage_that_was_lost_is_not_ok_in_ktap(kernels_parser: KernelParser) -> None:
    text = ktap(lost())
    parsed = parse(text.splitlines())
    assert parsed is not None
    names = [str(tid("x")), str(tid("y")), "tests of the baseline that were not planned"]
    assert [(each.name, each.status) for each in parsed.results] == list(
        zip(names, (S.PASS, S.FAIL, S.FAIL), strict=True)
    )
    assert "# coverage: selftests/default/z\n" in text
    assert [status for _, status, _ in kernels_parser.statuses(text)] == ["success", "failure", "failure"]


def test_an_allowed_skip_is_a_skip() -> None:
    known = Baseline("6.1", {("selftests", "default"): Table("6.1", {n: Entry(Counts({S.PASS: 1})) for n in "xy"})})
    outcomes = {tid("x"): Outcome(S.PASS), tid("y"): Outcome(S.SKIP, reason="no device")}
    judged = judge_run(list(outcomes), outcomes, known, allow_skip=lambda _test, _reason: "reason no*")
    assert ET.fromstring(junit(RUN, judged).encode()).attrib["errors"] == "0"
    assert "ok 2 selftests/default/y # SKIP no device\n" in ktap(judged)
