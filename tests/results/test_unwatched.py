"""Tests during which nobody could read what the kernel said: not green, and told everywhere."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.report.junit import junit
from kdevops.report.ktap import ktap
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.report.words import headline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.unwatched import MAX_NAMED, UNWATCHED, Unwatched
from kdevops.results.verdict import RunVerdict, judge_run
from tests.support.decided import regressed

TESTS = [TestId("commands", "default", name) for name in "abcde"]
RUN = Run(
    3, "x", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", "2026-11-21T08:10:00+00:00", {"kernel": {"release": "6.1"}}
)


def judged(unwatched: Unwatched, status: Status = Status.PASS, *worse: TestId) -> RunVerdict:
    table = Table("6.1", {test.name: Entry(Counts({Status.PASS: 1})) for test in TESTS})
    outcomes = {test: Outcome(status) for test in TESTS}
    baseline = Baseline("6.1", {("commands", "default"): table})
    return judge_run(TESTS, outcomes, baseline, unwatched=unwatched, decisions=regressed(*worse))


def test_it_is_not_green_and_a_regression_outweighs_it() -> None:
    assert judged(Unwatched()).exit_code is ExitCode.OK
    assert judged(Unwatched(1, (TESTS[0],))).exit_code is ExitCode.INCOMPLETE
    assert judged(Unwatched(1, (TESTS[0],)), Status.FAIL).exit_code is ExitCode.INCOMPLETE
    assert judged(Unwatched(1, (TESTS[0],)), Status.FAIL, TESTS[0]).exit_code is ExitCode.REGRESSION


def test_it_is_told_everywhere() -> None:
    verdict = judged(Unwatched(7, tuple(TESTS)))
    assert headline(RUN, verdict) == (
        "Incomplete: the kernel's messages during 7 tests could not be read: a, b, c and 4 more; "
        "nothing regressed in 5 tests that ran (5 pass)"
    )
    text = summary_text(RUN, verdict, width=200)
    assert "\nWhat the kernel reported during some tests is unknown, because neither the console nor" in text
    assert "  run again  kdevops rerun 3\n" in text
    assert "could not be read: a, b, c" in " ".join(mail(RUN, verdict).split())
    assert summary_json(RUN, verdict)["unwatched"] == {"count": 7, "tests": list(map(str, TESTS))}
    (error,) = ET.fromstring(junit(RUN, verdict).encode()).iter("error")
    assert error.attrib["type"] == "console"
    assert "not ok 6 tests during which the kernel's messages could not be read\n" in ktap(verdict)


def test_only_the_first_are_named() -> None:
    some = Unwatched()
    for number in range(MAX_NAMED + 5):
        some = some.with_test(TestId("commands", "default", f"t{number}"))
    assert (some.count, len(some.tests)) == (MAX_NAMED + 5, MAX_NAMED)


names = st.text("ab/#: ", min_size=1, max_size=9)


@given(st.lists(st.builds(TestId, st.just("commands"), st.just("default"), names), max_size=5))
def test_what_is_recorded_is_read_back(tests: list[TestId]) -> None:
    some = Unwatched()
    for test in tests:
        some = some.with_test(test)
    assert Unwatched.of(json.loads(json.dumps(some.as_record()))) == some


@pytest.mark.parametrize("record", [{}, {UNWATCHED: None}])
def test_runs_of_older_versions_have_none(record: dict[str, object]) -> None:
    assert Unwatched.of(record) == Unwatched()
