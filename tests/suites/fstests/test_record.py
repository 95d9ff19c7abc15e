"""The record that check keeps, and how it is held against what check printed."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.fstests import xunit
from kdevops.suites.fstests.record import read_record, reconcile
from kdevops.suites.fstests.xunit import read_report
from kdevops.suites.fstests.xunit_cases import Case
from kdevops.text import clean

PASS, FAIL, SKIP = Status.PASS, Status.FAIL, Status.SKIP

XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<testsuite
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="https://git.kernel.org/xfstests-dev.git https://git.kernel.org/xfstests-dev.git/tree/doc/xunit.xsd"

 name="xfstests"
 failures="1" skipped="1" tests="4" time="19"
 hostname="xfs-1"
>
\t<properties>
\t\t<property name="KERNEL" value="6.1.192"/>
\t\t<property name="FSTYP" value="xfs"/>
\t</properties>
\t<testcase classname="xfstests.xfs_crc" name="generic/001" time="5">
\t</testcase>
\t<testcase classname="xfstests.xfs_crc" name="generic/002" time="1">
\t\t<skipped message="no &apos;such&apos; feature" />
\t</testcase>
\t<testcase classname="xfstests.xfs_crc" name="generic/003" time="7">
\t\t<failure message="- output mismatch (see /r/generic/003.out.bad)" type="TestFail" />
\t\t<system-err>
<![CDATA[
--- <testcase name="generic/666" time="1"></testcase>
]]>
\t\t</system-err>
\t</testcase>
\t<testcase classname="xfstests.xfs_crc" name="generic/001" time="6">
\t</testcase>
</testsuite>
"""
CASES = (
    Case("generic/001", PASS, 5),
    Case("generic/002", SKIP, 1, "no 'such' feature"),
    Case("generic/003", FAIL, 7, "output mismatch"),
    Case("generic/001", PASS, 6),
)
LOG = """\

Kernel version: 6.1.191
Sat Nov 21 02:00:00 UTC 2026
Ran: generic/001 generic/009
Failures: generic/001
Failed 1 of 2 tests

Kernel version: 6.1.192
Sat Nov 21 03:00:00 UTC 2026
Ran: generic/001 generic/002 generic/003
Interrupted!
Not run: generic/002
Failures: generic/003
Failed 1 of 3 tests
"""
TOLD = {
    "generic/001": Outcome(PASS, 5.0),
    "generic/002": Outcome(SKIP, 0.7, "no 'such' feature"),
    "generic/003": Outcome(FAIL, 6.8, "failed, exit status 1"),
    "generic/001#2": Outcome(PASS, 6.0),
    "generic/004": Outcome(SKIP, 0.1, "expunged"),
    "generic/005": Outcome(Status.MISSING, reason="check: unknown test, ignored"),
}


def told(**changes: Outcome | None) -> dict[TestId, Outcome]:
    outcomes = {**TOLD, **{name.replace("_", "/"): outcome for name, outcome in changes.items()}}
    return {TestId("fstests", "xfs_crc", name): outcome for name, outcome in outcomes.items() if outcome}


@pytest.fixture
def section(tmp_path: Path) -> Path:
    (tmp_path / "result.xml").write_text(XML)
    (tmp_path / "check.log").write_text(LOG)
    (tmp_path / "check.time").write_text("generic/001 6\ngeneric/003 4\nnonsense\n")
    return tmp_path


def test_the_record_is_read(section: Path) -> None:
    record = read_record(section)
    assert record.report is not None
    assert (record.report.cases, record.report.trouble, record.report.finished) == (CASES, "", True)
    (suite,) = record.report.suites
    assert suite.properties == {"KERNEL": "6.1.192", "FSTYP": "xfs", "testsuite": "xfstests", "hostname": "xfs-1"}
    assert suite.declared == {"tests": 4, "failures": 1, "skipped": 1}
    assert record.times == {"generic/001": 6, "generic/003": 4}
    assert [run.kernel for run in record.runs] == ["6.1.191", "6.1.192"]
    assert [record.runs[-1].status(f"generic/00{n}") for n in (1, 2, 3)] == [PASS, SKIP, FAIL]


def test_an_interrupted_test_has_not_passed(section: Path) -> None:
    (section / "check.log").write_text("Ran: generic/001 generic/002 \nInterrupted!\nPassed all 2 tests\n")
    (run,) = read_record(section).runs
    assert [run.status("generic/001"), run.status("generic/002")] == [PASS, Status.MISSING]


def test_a_report_that_was_not_the_last_one_is_not_finished(section: Path) -> None:
    (section / "result.xml").write_text(XML.replace('time="19"', 'time=""'))
    report = read_report(section / "result.xml")
    assert report is not None
    assert not report.finished
    assert not report.trouble


def test_no_contradiction(section: Path) -> None:
    assert reconcile(section, told()) == []


def test_nothing_recorded(tmp_path: Path) -> None:
    assert reconcile(tmp_path, {}) == []
    assert reconcile(tmp_path, told()) == ["there is no result.xml"]


def test_a_test_that_passed_by_one_account_only(section: Path) -> None:
    assert reconcile(section, told(generic_003=Outcome(PASS, 7.0))) == [
        "generic/003: check printed pass, but result.xml says fail (output mismatch)",
        "generic/003: check printed pass, but check.log says fail",
        "generic/003: check printed 7 s, but check.time says 4 s",
    ]


def test_seconds_are_compared(section: Path) -> None:
    (section / "check.time").write_text("")
    changed = told()
    changed[TestId("fstests", "xfs_crc", "generic/001#2")] = Outcome(PASS, 8.0)
    assert reconcile(section, changed) == [
        "generic/001#2: check printed 8 s, but result.xml says 6 s",
        "generic/001: check printed 8 s, but check.time does not list it",
    ]


def test_what_only_one_side_knows(section: Path) -> None:
    assert reconcile(section, told(generic_002=None, generic_007=Outcome(PASS, 1.0))) == [
        "generic/007: check printed pass, but result.xml does not list it",
        "generic/002: result.xml says skip, but check printed no result",
    ]


def test_a_test_that_took_the_guest_down_is_not_missed_in_the_record(section: Path) -> None:
    assert reconcile(section, told(generic_002=Outcome(Status.CRASH), generic_008=Outcome(Status.HANG))) == []


def test_an_older_log_says_nothing_of_this_run(section: Path) -> None:
    (section / "check.log").write_text(LOG.partition("Kernel version: 6.1.192")[0])
    (section / "check.time").write_text("generic/001 99\n")
    assert reconcile(section, told()) == []


def test_a_failure_that_the_log_lacks(section: Path) -> None:
    lacking = LOG.replace("Interrupted!\n", "").replace("Failures: generic/003\n", "")
    (section / "check.log").write_text(lacking.replace("Failed 1 of 3", "Passed all 3"))
    assert reconcile(section, told()) == ["generic/003: check printed fail, but check.log says pass"]
    (section / "check.log").write_text(lacking)
    assert reconcile(section, told()) == ["check.log counts 1 of 3 tests as failed, but names 0 of 3"]


def test_a_report_that_ends_too_early(section: Path) -> None:
    (section / "result.xml").write_text(XML[: XML.index("<system-err>")])
    report = read_report(section / "result.xml")
    assert report is not None
    assert report.cases == (*CASES[:2], Case("generic/003", FAIL, 7, "output mismatch"))
    lines = reconcile(section, told())
    assert lines[0].startswith("result.xml cannot be read completely: ")
    assert "generic/001#2: check printed pass, but result.xml does not list it" in lines


@pytest.mark.parametrize(
    ("head", "trouble"),
    [
        (
            '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
            "is refused: it has a document type",
        ),
        ('<!DOCTYPE testsuite SYSTEM "file:///etc/passwd">', "is refused: it has a document type"),
        ("<!DOCTYPE testsuite>", "is refused: it has a document type"),
        ('<?xml version="1.0" encoding="no-such"?>', "cannot be read completely: "),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_or_an_unknown_encoding_is_refused(
    tmp_path: Path, head: str, trouble: str, encoding: str
) -> None:
    (tmp_path / "result.xml").write_text(head + XML.partition("?>")[2], encoding=encoding)
    report = read_report(tmp_path / "result.xml")
    assert report is not None
    assert report.cases == ()
    assert report.trouble.startswith(trouble)


def test_a_huge_report_is_read_in_part(section: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xunit, "MAX_SIZE", 1 << 17)
    (section / "result.xml").write_text(XML.replace("</testsuite>", "<!--" + "x" * (1 << 18) + "--></testsuite>"))
    report = read_report(section / "result.xml")
    assert report is not None
    assert report.cases == CASES
    assert "were read" in report.trouble


_MESSAGES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=50)


@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.sampled_from([PASS, FAIL, SKIP]), st.integers(0, 9999), _MESSAGES),
        max_size=9,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path: Path, cases: list[tuple[int, Status, int, str]]) -> None:
    text, expected = "<testsuite>", []
    for number, status, seconds, message in cases:
        name = f"generic/{number:03}"
        inner = {
            PASS: "",
            FAIL: f"<failure message={quoteattr(message)}/>",
            SKIP: f"<skipped message={quoteattr(message)}/>",
        }
        text += f'<testcase name="{name}" time="{seconds}">{inner[status]}</testcase>'
        expected.append((name, status, seconds))
    (tmp_path / "result.xml").write_text(text + "</testsuite>")
    report = read_report(tmp_path / "result.xml")
    assert report is not None
    assert not report.trouble
    assert [(case.name, case.status, case.seconds) for case in report.cases] == expected


@given(st.binary(max_size=300), st.integers(0, len(XML)), st.sampled_from(["result.xml", "check.log", "check.time"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_told_and_never_raises(tmp_path: Path, garbage: bytes, at: int, name: str) -> None:
    texts = {"result.xml": XML, "check.log": LOG, "check.time": "generic/001 6\n"}
    for each, text in texts.items():
        data = text.encode()
        (tmp_path / each).write_bytes(data[:at] + garbage + data[at:] if each == name else data)
    for line in reconcile(tmp_path, told()):
        assert clean(line) == line
