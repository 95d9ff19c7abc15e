"""Results as people have them: of xfstests-bld, of two kernels, cut off, ill-formed, with totals that do not match."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Status
from kdevops.suites.fstests import xunit
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.fstests.run_outcomes import UNNAMED
from tests.suites.fstests.field_samples import (
    CRASH,
    ERROR,
    FAIL,
    FAILURE,
    HANG,
    MISSING,
    PASS,
    SKIP,
    SKIPPED,
    TIMES,
    UNFINISHED,
    case,
    found,
    only,
    paragraph,
    prop,
    statuses,
    suite,
)


@pytest.mark.parametrize(
    ("inner", "status"),
    [
        (ERROR, CRASH),
        ('<error message="Machine rebooted after a test timeout"/>', HANG),
        ('<error message="test timed out after 3600 seconds"/>', HANG),
        ("<error>the test hung, no progress for 1 h</error>", HANG),
        ('<error type="TestTimeout"/>', HANG),
        ('<error message="Kernel panic - not syncing: hung_task: blocked tasks"/>', CRASH),
        ("<error/>", CRASH),
        (SKIPPED + ERROR, CRASH),
        (FAILURE + ERROR, CRASH),
        (SKIPPED + FAILURE, FAIL),
        ("<system-out>all is well</system-out>", PASS),
        ("<rerunFailure/>", MISSING),
        ("<system-out><failure/></system-out>", MISSING),
        ("<outcome>failed</outcome>", MISSING),
        (SKIPPED + "<unheard-of/>", MISSING),
    ],
)
def test_what_an_element_makes_of_a_test(tmp_path: Path, inner: str, status: Status) -> None:
    assert only(tmp_path, result_xml=suite(case("generic/475", inner))) == {"generic/475": status}


@pytest.mark.parametrize("said", ['status="notrun"', 'result="error"', 'status="failed"'])
def test_an_attribute_that_contradicts_a_pass(tmp_path: Path, said: str) -> None:
    assert only(tmp_path, result_xml=suite(case("generic/475", extra=f" {said}"))) == {"generic/475": MISSING}
    assert only(tmp_path, result_xml=suite(case("generic/475", extra=' status="run"'))) == {"generic/475": PASS}


def test_the_same_configuration_of_two_file_systems(tmp_path: Path) -> None:
    for kind in ("ext4", "xfs"):
        path = tmp_path / kind / "results-4k"
        path.mkdir(parents=True)
        cases = (
            case("generic/001"),
            case("generic/003", SKIPPED),
            case("generic/082", FAILURE),
            case("generic/475", ERROR),
        )
        totals = 'failures="1" skipped="1" tests="4" errors="1"'
        text = suite(*cases, totals=totals, kernel="kernel\t6.1.99 #1 SMP x86_64", properties=prop("FSTESTCFG", "4k"))
        (path / "results.xml").write_text(text)
    sections = find_sections(tmp_path)
    assert [(each.profile, each.kernel) for each in sections] == [("ext4_4k", "6.1.99"), ("xfs_4k", "6.1.99")]
    expected = {"generic/001": PASS, "generic/003": SKIP, "generic/082": FAIL, "generic/475": CRASH}
    assert [statuses(each) for each in sections] == [expected, expected]
    assert [each.profile for each in find_sections(tmp_path / "ext4")] == ["ext4_4k"]
    assert [each.profile for each in find_sections(tmp_path / "xfs/results-4k")] == ["xfs_4k"]


def test_a_merged_report_has_a_test_several_times(tmp_path: Path) -> None:
    cases = [case("generic/001"), case("generic/475", ERROR), case("generic/001", FAILURE), case("preempted", ERROR)]
    totals = 'tests="4" failures="1" errors="2" skipped="0"'
    (section,) = found(tmp_path, results_xml=suite(*cases, totals=totals))
    assert section.notes == ()
    assert statuses(section) == {"generic/001": PASS, "generic/001#2": FAIL, "generic/475": CRASH}


def test_a_machine_whose_time_was_over(tmp_path: Path) -> None:
    cases = [case("generic/001"), case("generic/475", ERROR), case("timeout", ERROR)]
    result = only(tmp_path, results_xml=suite(*cases, totals='tests="3" failures="0" errors="2"'))
    assert result == {"generic/001": PASS, "generic/475": CRASH, UNNAMED: MISSING}


def test_a_case_whose_name_is_not_a_test_is_told(tmp_path: Path) -> None:
    (section,) = found(tmp_path, results_xml=suite(case("generic/001"), case("the whole section", FAILURE)))
    assert statuses(section) == {"generic/001": PASS, UNNAMED: MISSING}
    assert "results.xml has a test 'the whole section', fail" in section.notes[0]


def test_the_round_after_a_crash_that_was_not_merged_yet(tmp_path: Path) -> None:
    first = suite(case("generic/001"), case("generic/475", ERROR))
    second = suite(case("generic/476"), totals='tests="1"').replace('time="61"', 'time=""')
    result = only(tmp_path, results_xml=first, result_xml=second)
    assert result == {"generic/001": PASS, "generic/475": CRASH, "generic/476": PASS, UNNAMED: MISSING}


def test_a_report_that_xfstests_bld_could_not_read(tmp_path: Path) -> None:
    first = suite(case("generic/001"))
    (tmp_path / "result.xml.broken").write_text(suite(case("generic/002", '<failure message="a & b"/>')))
    assert only(tmp_path, results_xml=first) == {"generic/001": PASS, "generic/002": FAIL, UNNAMED: MISSING}


def test_a_report_that_stands_under_both_names(tmp_path: Path) -> None:
    text = suite(case("generic/001"), case("generic/002", SKIPPED))
    assert only(tmp_path, results_xml=text, result_xml=text) == {"generic/001": PASS, "generic/002": SKIP}


def test_several_suites_in_one_file(tmp_path: Path) -> None:
    parts = [
        suite(case("generic/001"), properties=prop("TESTCFG", "ext4/4k")),
        suite(case("generic/001", FAILURE), properties=prop("TESTCFG", "xfs/4k")),
        suite(case("generic/001"), kernel="6.6.30", properties=prop("TESTCFG", "xfs/4k")),
    ]
    sections = found(tmp_path, results_xml=f'<testsuites tests="3">{"".join(parts)}</testsuites>')
    assert [(each.profile, each.kernel, statuses(each)["generic/001"]) for each in sections] == [
        ("ext4_4k", "6.1.99", PASS),
        ("xfs_4k", "6.1.99", FAIL),
        ("xfs_4k", "6.6.30", PASS),
    ]


def test_nested_suites_of_one_configuration(tmp_path: Path) -> None:
    inner = [
        '<testsuite name="generic" tests="1">' + case("generic/001") + "</testsuite>",
        '<testsuite name="xfs" tests="1">' + case("xfs/001", FAILURE) + "</testsuite>",
    ]
    (section,) = found(tmp_path, result_xml=suite(*inner, properties=prop("SECTION", "xfs_crc")))
    assert (section.profile, section.kernel) == ("xfs_crc", "6.1.99")
    assert statuses(section) == {"generic/001": PASS, "xfs/001": FAIL}
    unfinished = suite(*inner).replace('time="61"', 'time=""')
    assert only(tmp_path, result_xml=unfinished) == {"generic/001": PASS, "xfs/001": FAIL, UNNAMED: MISSING}
    short = suite(*inner, totals='tests="3"')
    assert only(tmp_path, result_xml=short)[UNNAMED] is MISSING


def test_a_sum_of_the_reports_below_is_not_counted_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = suite(case("generic/001"), properties=prop("TESTCFG", "xfs/4k"))
    sections = found(tmp_path, results_xml=f"<testsuites>{text}</testsuites>", **{"xfs__results-4k__results_xml": text})
    assert [each.directory for each in sections] == [tmp_path / "xfs/results-4k"]
    (tmp_path / "results.xml").write_text(text.replace("></testcase>", f">{FAILURE}</testcase>"))
    assert main(["results", "import", str(tmp_path)]) == 2
    assert "are both results of xfs_4k on 6.1.99" in capsys.readouterr().err


def test_old_reports_count_skipped_tests_twice(tmp_path: Path) -> None:
    totals = 'failures="0" skipped="1" tests="3"'
    text = suite(case("generic/001"), case("generic/002", SKIPPED), totals=totals)
    old = text.replace('name="KERNEL" value="', 'name="PLATFORM" value="Linux/x86_64 host ')
    (section,) = found(tmp_path, result_xml=old)
    assert (section.notes, statuses(section)) == ((), {"generic/001": PASS, "generic/002": SKIP})
    assert only(tmp_path, result_xml=text) == {"generic/001": PASS, "generic/002": SKIP, UNNAMED: MISSING}


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ('tests="4"', {"generic/001": PASS, "generic/002": PASS, UNNAMED: MISSING, f"{UNNAMED}#2": MISSING}),
        ('tests="1"', {"generic/001": PASS, "generic/002": PASS, UNNAMED: MISSING}),
        ('tests="3" failures="1"', {"generic/001": PASS, "generic/002": PASS, UNNAMED: MISSING}),
        ('tests="2" failures="1"', {"generic/001": MISSING, "generic/002": MISSING}),
        ('tests="2" errors="1"', {"generic/001": MISSING, "generic/002": MISSING}),
        ('tests="2" skipped="1"', {"generic/001": MISSING, "generic/002": MISSING}),
        ('tests="2" failures="0" errors="0" skipped="0"', {"generic/001": PASS, "generic/002": PASS}),
    ],
)
def test_totals_that_do_not_match(tmp_path: Path, totals: str, expected: dict[str, Status]) -> None:
    assert only(tmp_path, result_xml=suite(case("generic/001"), case("generic/002"), totals=totals)) == expected


def test_a_test_that_does_not_exist_did_not_pass(tmp_path: Path) -> None:
    log = paragraph("6.1.99", "Sat Jun  4 2024", "generic/001")
    text = suite(case("generic/999"), case("generic/001"), totals='tests="1"')
    assert only(tmp_path, result_xml=text, check_log=log)["generic/999"] is MISSING


@pytest.mark.parametrize(
    "piece",
    [
        '<skipped message="R&D <x"/>',
        '<skipped message="\x01"/>',
        "<system-out>\udcff</system-out>",
        "<system-out>]]></system-out>",
        "<system-out><![CDATA[" + case("generic/666") + "]]></system-out>&",
        "<system-out>" + case("generic/666") + "</system-out>&",
        '<failure message="bad & evil <x" type="TestFail"/>',
        '<failure message="say "no" & go" type="TestFail"/>',
        '<error message="crash & burn"/>',
    ],
)
def test_an_ill_formed_report_is_read_where_it_is_certain_and_never_green(tmp_path: Path, piece: str) -> None:
    text = suite(case("xfs/001"), case("xfs/002", piece), case("xfs/003"))
    (tmp_path / "result.xml").write_bytes(text.encode(errors="surrogateescape"))
    (section,) = find_sections(tmp_path)
    result = statuses(section)
    assert (result["xfs/001"], result["xfs/003"]) == (PASS, PASS)
    bad = {"<failure": FAIL, "<error": CRASH, "<skipped": SKIP}
    assert result["xfs/002"] is bad.get(piece.partition(" ")[0], MISSING)
    assert MISSING in result.values()
    assert "generic/666" not in result


@pytest.mark.parametrize(
    "damaged",
    [
        '<testcase name="xfs/002" time="1"><testcase name="xfs/003" time="1"></testcase>&',
        '<testcase name="xfs/002" time="1"/><failure message="x"/>&',
        '<testcase name="xfs/002" name="xfs/004" time="1"></testcase>',
        '<testcase name="xfs/002" time=1></testcase>',
        '<testcase name="xfs/002" time="1">&</testcase>',
        '<testcase name="xfs/002" time="1"',
        '<testcase name="xfs/002" time="1">\n',
        '<system-out><![CDATA[<testcase name="xfs/002" time="1"></testcase>',
        '<!-- <testcase name="xfs/002" time="1"></testcase> &',
    ],
)
def test_a_damaged_case_did_not_pass(tmp_path: Path, damaged: str) -> None:
    text = suite(case("xfs/001")).replace('tests="1"', 'tests="3"').replace("</testsuite>\n", damaged)
    result = only(tmp_path, result_xml=text)
    assert result.pop("xfs/001") is PASS
    assert result.get("xfs/002", MISSING) in {MISSING, FAIL}
    assert MISSING in result.values()


@pytest.mark.parametrize(
    "head", ['<!DOCTYPE x [<!ENTITY a "b">]>', "<!DOCTYPE testsuite>", '<!DOCTYPE x SYSTEM "file:///etc/passwd">']
)
@pytest.mark.parametrize("ill", ["", "&"])
def test_a_document_type_is_refused_whatever_comes_after_it(tmp_path: Path, head: str, ill: str) -> None:
    log = paragraph("6.1.99", "Sat Jun  4 2024", "generic/002")
    (section,) = found(tmp_path, result_xml=head + suite(case("generic/001")) + ill, check_log=log)
    assert statuses(section) == {"generic/002": PASS, UNNAMED: MISSING}
    assert "document type" in section.notes[0]


def test_a_report_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = suite(
        case("generic/001"), case("generic/002", "<system-out>" + "x" * 5000 + "</system-out>"), case("generic/003")
    )
    monkeypatch.setattr(xunit, "MAX_SIZE", 4096)
    (section,) = found(tmp_path, result_xml=text)
    assert statuses(section) == {"generic/001": PASS, "generic/002": MISSING, UNNAMED: MISSING}
    assert "is too long" in section.notes[0]


def test_reports_in_the_namespace_that_fstests_had_in_2023(tmp_path: Path) -> None:
    text = suite(case("generic/001"), case("generic/002", FAILURE))
    spaced = text.replace("<testsuite ", '<testsuite xmlns="https://git.kernel.org/pub/scm/fs/xfs/xfstests-dev.git" ')
    assert only(tmp_path, result_xml=spaced) == {"generic/001": PASS, "generic/002": FAIL}


@pytest.mark.parametrize(
    ("files", "codes"),
    [
        ({"result_xml": suite(case("generic/001"), case("generic/475", ERROR))}, [1]),
        ({"result_xml": suite(case("generic/001"), case("generic/475", FAILURE))}, [4]),
        ({"results_xml": suite(case("generic/001"))}, [0]),
        ({"result_xml": UNFINISHED, "check_time": TIMES}, [4]),
        ({"result_xml": suite(case("generic/001")) + "&"}, [4]),
        ({"result_xml": suite(case("generic/001"), totals='tests="2"')}, [4]),
        ({"result_xml": suite(totals='tests="0"')}, [4]),
        ({"check_log": paragraph("6.1.1", "x", "xfs/001", "xfs/001") + paragraph("6.6.1", "x", "xfs/001")}, [4, 0]),
        ({"check_time": TIMES}, []),
    ],
)
def test_exit_codes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    codes: list[int],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    assert main(["results", "import", str(tmp_path), "--baseline", str(tmp_path / "none"), "--json"]) == (
        0 if codes else 2
    )
    runs = json.loads(capsys.readouterr().out) if codes else []
    found_codes = []
    for run in runs:
        found_codes.append(main(["results", str(run["id"]), "--json"]))
        assert json.loads(capsys.readouterr().out)["exit_code"] == found_codes[-1]
        assert main(["results", str(run["id"])]) == found_codes[-1]
        capsys.readouterr()
    assert found_codes == codes
