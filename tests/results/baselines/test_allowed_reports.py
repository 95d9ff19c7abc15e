"""Kernel reports that a baseline allows for a time: the file, what may be wrong with it, and what it does to a verdict."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from kdevops.errors import ExitCode, UserError
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.baselines import baseline
from kdevops.results.baselines.allowed_reports import MAX_TEXT, AllowList, day_of, file_of, load, parse
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.reports import KnownReports
from kdevops.results.complaints import FLOOD
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import RunVerdict, judge_run
from tests.support.baselines import learnt
from tests.support.decided import regressed

PATH = Path("baselines/reports.yaml")
DAY = date(2027, 1, 31)
ENTRY = {
    "pattern": "WARNING in xfs_*",
    "reason": "fixed in 6.1.200",
    "link": "https://example.org/1",
    "until": "2027-01-31",
}
WARNING = KernelReport("warning", "WARNING in xfs_bar", "WARNING: CPU: 1 PID: 9 at fs/xfs/bar.c:7", True, "text")
TEST = TestId("fstests", "xfs_crc", "xfs/001")
RUN = Run(
    3, "x", RunState.COMPLETE, "2027-01-31T08:00:00+00:00", "2027-01-31T08:10:00+00:00", {"kernel": {"release": "6.1"}}
)


def listed(*entries: dict[str, object]) -> AllowList:
    return parse(yaml.safe_dump(list(entries)), PATH)


def judged(
    entries: AllowList, today: date | None = DAY, report: KernelReport = WARNING, *, stray: bool = False
) -> RunVerdict:
    table = Table("6.1", {TEST.name: Entry(Counts({Status.PASS: 1}))})
    known = Baseline("6.1", {(TEST.suite, TEST.profile): table}, allowed=entries)
    said = [{**asdict(report), "guest": "x-1", "when": "at boot"}] if stray else []
    outcome = Outcome(Status.PASS, reports=() if stray else (report,))
    return judge_run([TEST], {TEST: outcome}, known, strays_said=said, today=today)


@pytest.mark.parametrize("stray", [False, True])
def test_an_allowed_report_is_known_with_reason_and_link(stray: bool) -> None:
    verdict = judged(listed(ENTRY), stray=stray)
    assert verdict.exit_code is ExitCode.OK
    said = "WARNING in xfs_bar: known (fixed in 6.1.200, https://example.org/1, until 2027-01-31)"
    assert said in summary_text(RUN, verdict, width=150)
    assert "https://example.org/1" in mail(RUN, verdict)
    (report,) = summary_json(RUN, verdict)["reports"]  # type: ignore[misc, union-attr]
    assert report["said"] == "known"
    assert report["allowed"] == {**ENTRY}
    assert judged(AllowList(), stray=stray).exit_code is ExitCode.REGRESSION


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("WARNING in xfs_bar", True),
        ("WARNING in xfs_?ar", True),
        ("*fs/xfs/bar.c:*", True),
        ("WARNING in", False),
        ("warning in xfs_bar", False),
        ("/^WARNING in (xfs|ext4)_/", True),
        (r"/at fs\/xfs\/bar\.c/", True),
        ("/(?i)warning IN xfs_bar$/", True),
        ("/^xfs_bar/", False),
    ],
)
def test_a_pattern_is_a_glob_of_the_whole_or_an_expression_found_in_it(pattern: str, fits: bool) -> None:
    assert (judged(listed({**ENTRY, "pattern": pattern})).exit_code is ExitCode.OK) == fits


@pytest.mark.parametrize(
    ("more", "allowed", "outside"),
    [
        ({}, True, True),
        ({"tests": ["xfs/*"]}, True, False),
        ({"tests": ["generic/*", "fstests/*/xfs/*"]}, True, False),
        ({"tests": "generic/*"}, False, False),
        ({"series": ["6.6", "6.1"]}, True, True),
        ({"series": ["6.6"]}, False, False),
        ({"series": ["6.1"], "tests": ["generic/*"]}, False, False),
    ],
)
def test_an_entry_holds_for_its_tests_and_series(more: dict[str, object], allowed: bool, outside: bool) -> None:
    entries = listed({**ENTRY, **more})
    assert (judged(entries).exit_code is ExitCode.OK) == allowed
    assert (judged(entries, stray=True).exit_code is ExitCode.OK) == outside


def test_it_ends_after_its_last_day_and_that_is_told() -> None:
    entries = listed(ENTRY)
    day_after = judged(entries, DAY + timedelta(days=1))
    assert day_after.exit_code is ExitCode.REGRESSION
    text = summary_text(RUN, day_after, width=150)
    assert "WARNING in xfs_bar: not known (it was allowed until 2027-01-31: fixed in 6.1.200)" in text
    assert f"Allowed kernel report WARNING in xfs_* ended on 2027-01-31 ({PATH}:1:3)" in text
    assert summary_json(RUN, day_after)["allowed_reports"] == {"ended": [ENTRY], "ending": []}
    longer = listed(ENTRY, {**ENTRY, "until": "2027-06-30"})
    assert judged(longer, DAY + timedelta(days=1)).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("days", "told"),
    [(15, ""), (14, "ends in 14 days, on 2027-01-31"), (1, "ends in 1 day, on"), (0, "ends today, 2027-01-31")],
)
def test_an_end_that_is_near_is_told(days: int, told: str) -> None:
    text = summary_text(RUN, judged(listed(ENTRY), DAY - timedelta(days=days)), width=150)
    assert (told in text) if told else ("Allowed kernel report" not in text)


def test_without_a_day_nothing_is_allowed() -> None:
    assert judged(listed(ENTRY), None).exit_code is ExitCode.REGRESSION


def test_a_run_is_judged_as_of_the_day_it_ended_in_utc() -> None:
    assert day_of(RUN) == DAY
    assert day_of(replace(RUN, ended="2027-02-01T01:00:00+02:00")) == DAY
    assert day_of(replace(RUN, ended=None)) >= date(2026, 1, 1)


def test_it_excuses_no_test_that_went_wrong() -> None:
    table = Table("6.1", {TEST.name: Entry(Counts({Status.PASS: 1}))})
    known = Baseline("6.1", {(TEST.suite, TEST.profile): table}, allowed=listed(ENTRY))
    for status in (Status.FAIL, Status.CRASH, Status.HANG):
        outcome = Outcome(status, oops=WARNING.text, reports=(WARNING,))
        assert judge_run([TEST], {TEST: outcome}, known, today=DAY).exit_code is ExitCode.INCOMPLETE
        worse = judge_run([TEST], {TEST: outcome}, known, today=DAY, decisions=regressed(TEST))
        assert worse.exit_code is ExitCode.REGRESSION


def test_reports_that_were_dropped_may_be_anything_and_are_never_allowed() -> None:
    entries = listed({**ENTRY, "pattern": f"/{FLOOD}|WARNING/"})
    outcome = Outcome(Status.PASS, reports=(WARNING,), reports_cut=9)
    verdict = judge_run([TEST], {TEST: outcome}, Baseline("6.1", allowed=entries), today=DAY)
    assert verdict.troubles == {f"{FLOOD} {WARNING.signature}"}


def test_accepting_a_run_does_not_learn_for_good_what_is_allowed_for_a_time() -> None:
    before = Baseline("6.1", allowed=listed({**ENTRY, "tests": ["xfs/*"]}))
    stray = {**asdict(replace(WARNING, signature="KASAN: a in b", title="t")), "guest": "x-1", "when": "at boot"}
    after = learnt(before, {TEST: Outcome(Status.PASS, reports=(WARNING,))}, strays=[stray], today=DAY)
    assert set(after.reports.notes) == {"KASAN: a in b"}
    assert after.allowed == before.allowed
    later = learnt(before, {TEST: Outcome(Status.PASS, reports=(WARNING,))}, today=DAY + timedelta(days=1))
    assert set(later.reports.notes) == {WARNING.signature}


def test_what_the_baseline_knows_needs_no_entry() -> None:
    known = Baseline("6.1", reports=KnownReports("6.1", {WARNING.signature: ""}), allowed=listed(ENTRY))
    verdict = judge_run([TEST], {TEST: Outcome(Status.PASS, reports=(WARNING,))}, known, today=DAY)
    assert summary_json(RUN, verdict)["reports"][0]["allowed"] is None  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b", f"{PATH}:1:1: a list is needed, found a section with fields"),
        ("- 5", f"{PATH}:1:3: 0: a section with fields is needed, found number 5"),
        ("-", f"{PATH}:1:2: 0: the value is empty"),
        ("- {}", "0.until: is missing: the last day on which it holds, such as 2027-01-31"),
        ("- {pattern: [}", f"{PATH}:1:14: not valid YAML"),
        ("- a\n<<<<<<< HEAD\n", f"{PATH}:2: an unresolved git conflict: <<<<<<<"),
        ("[" * 50, "this is not a list of kernel reports"),
    ],
)
def test_a_file_that_is_no_list_of_entries_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, PATH)
    assert said in caught.value.message
    assert caught.value.exit_code is ExitCode.USER


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pattern", "*", "0.pattern: this pattern fits any text: name the report"),
        ("pattern", "?*", "this pattern fits any text"),
        ("pattern", "/.*/", "this pattern fits any text"),
        ("pattern", "//", "this pattern fits any text"),
        ("pattern", "/a(/", "0.pattern: not a regular expression: unclosed group"),
        ("pattern", "/(?=a)b/", "not a regular expression: look-around"),
        ("pattern", r"/(a)\1/", "not a regular expression: backreferences are not supported"),
        ("pattern", "/(a{1000}){1000}/", "not a regular expression: Compiled regex exceeds size limit"),
        ("pattern", "x" * 501, "0.pattern: at most 500 characters is needed"),
        ("pattern", "", "0.pattern: at least 1 characters is needed"),
        ("pattern", 5, "0.pattern: text (in quotes, if it looks like a number) is needed, found number 5"),
        ("reason", " ", "0.reason: at least 1 characters is needed"),
        ("link", "see the list", "0.link: text 'see the list' is not valid: where it is discussed"),
        ("link", "ftp://example.org/", "0.link: "),
        ("until", "tomorrow", "0.until: a day such as 2027-01-31 is needed, found text 'tomorrow'"),
        ("until", "2027-02-30", "0.until: not a day: day is out of range for month"),
        ("until", "2027-W05-7", "0.until: a day such as 2027-01-31 is needed"),
        ("until", 20270131, "0.until: a day such as 2027-01-31 is needed, found number 20270131"),
        ("series", [6.1], "0.series.0: text (in quotes, if it looks like a number) is needed, found number 6.1"),
        ("series", ["6.1.192"], "0.series.0: text '6.1.192' is not valid"),
        ("series", [], "0.series: a list of 1 or more entries is needed"),
        ("tests", [], "0.tests: a list of 1 or more entries is needed"),
        ("tests", [""], "0.tests.0: at least 1 characters is needed"),
        ("test", "xfs/*", "0.test: no such field; did you mean tests?"),
    ],
)
def test_each_field_that_is_wrong_is_told_with_its_place(field: str, value: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        listed({**ENTRY, field: value})
    assert said in caught.value.message
    assert caught.value.message.startswith(f"{PATH}:")


@pytest.mark.parametrize("missing", list(ENTRY))
def test_a_field_that_is_missing_is_told(missing: str) -> None:
    with pytest.raises(UserError, match=rf"0\.{missing}: is missing"):
        listed({name: value for name, value in ENTRY.items() if name != missing})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        listed({**ENTRY, "link": "x"}, ENTRY, {**ENTRY, "until": "x"})
    assert [line.split(": ")[1] for line in caught.value.message.splitlines()] == ["0.link", "2.until"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n", "\ufeff"])
def test_a_list_may_be_empty(text: str) -> None:
    assert parse(text.removeprefix("\ufeff"), PATH) == AllowList()


def test_a_baseline_reads_it_and_need_not_have_it(tmp_path: Path) -> None:
    assert load(tmp_path) == load(tmp_path / "none") == AllowList()
    file_of(tmp_path).write_text("\ufeff" + yaml.safe_dump([ENTRY]))
    assert baseline.load(tmp_path, "6.1").allowed.entries[0].until == DAY


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    path.mkdir()
    with pytest.raises(UserError, match=r"reports\.yaml: cannot be read: it is not a file"):
        baseline.load(tmp_path, "6.1")
    path.rmdir()
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"reports\.yaml: cannot be read"):
        load(tmp_path)
    path.unlink()
    path.write_bytes(b"# one\n- \xff\n")
    with pytest.raises(UserError, match=r"reports\.yaml:2: not UTF-8 text \(byte 0xff\)"):
        load(tmp_path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(UserError, match="larger than 1 MiB: this is not a list of kernel reports"):
        load(tmp_path)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_its_place(text: str) -> None:
    try:
        parse(text, PATH)
    except UserError:
        with pytest.raises(UserError, match=rf"^{PATH}:[0-9]+"):
            parse(text, PATH)


words = st.text("abcdefgh *?[](){}|+/\\^$.", min_size=1, max_size=30)
days = st.dates(date(2026, 1, 1), date(2028, 1, 1))


@given(words, days, days, words)
def test_what_is_written_is_read_back_and_never_allows_past_its_end(
    pattern: str, until: date, today: date, said: str
) -> None:
    try:
        entries = listed({**ENTRY, "pattern": pattern, "until": str(until)})
    except UserError as error:
        told = error.message
    else:
        told = ""
    assert not told or "pattern" in told
    assume(not told)
    (entry,) = entries.entries
    assert (entry.pattern, entry.until) == (pattern, until)
    verdict = judged(entries, today, replace(WARNING, signature=said))
    if today > until:
        assert verdict.exit_code is ExitCode.REGRESSION
    assert verdict.allowed.ended == (entries.entries if today > until else ())


@pytest.mark.parametrize("pattern", ["/(a*)*(a|a)*(.*.*.*)*b$/", "*a" * 200 + "*b"])
def test_no_pattern_takes_long_with_any_text(pattern: str) -> None:
    """With backtracking each of these would take longer than the universe has."""
    (entry,) = listed({**ENTRY, "pattern": pattern}).entries
    hostile = "a" * 100_000
    assert not entry.matches(KernelReport("k", hostile, hostile, True, ""))
    beyond = "c" * MAX_TEXT + "b"
    assert not entry.matches(KernelReport("k", beyond, beyond, True, ""))
