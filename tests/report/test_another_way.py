"""Tests that fail in another way than before, in every report."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from kdevops.report.another_way import another_way
from kdevops.report.junit import junit
from kdevops.report.ktap import ktap
from kdevops.report.mail import mail
from kdevops.report.summary import summary_text
from kdevops.report.summary_json import summary_json
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.model import Counts, KernelReport, Outcome, Status, Subtest
from kdevops.results.verdict import Judged, RunVerdict, judge_run
from tests.report.samples import tid
from tests.report.test_mail import RUN_OF_FSTESTS as RUN
from tests.support.decided import regressed

S = Status
TEST = tid("futex:run.sh")
SAID = "fails in another way: subtest alpha (known: subtest beta)"


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, 2.1, f"{names[0]} failed", tuple(Subtest(name, S.FAIL) for name in names), guest="demo-1")


def verdict(now: Outcome, *known: str, counts: Counts | None = None, decided: bool = False) -> RunVerdict:
    entry = Entry(counts or Counts({S.FAIL: 3}), symptoms={each: Seen(3) for each in known})
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: entry})})
    return judge_run([TEST], {TEST: now}, baseline, decisions=regressed(TEST) if decided else {})


def one(now: Outcome, *known: str, counts: Counts | None = None) -> Judged:
    return verdict(now, *known, counts=counts).tests[0]


def _three(*names: str) -> str:
    return ", ".join(f"subtest {name}" for name in names) + " and 2 more"


@pytest.mark.parametrize(
    ("decided", "group", "said"), [(False, "Not decided yet", "inconclusive"), (True, "Regressed", "regressed")]
)
def test_every_report_tells_it(decided: bool, group: str, said: str) -> None:
    found = verdict(failing("alpha"), "sub:beta", decided=decided)
    told = summary_text(RUN, found)
    assert f"futex:run.sh\n    was 3 fail; now fail after 2.1 s on demo-1\n    {SAID}\n    alpha failed\n" in told
    assert f"{group} (1)" in told
    assert f"Fails in another way than before:\n  futex:run.sh: {SAID.partition(': ')[2]}\n" in mail(RUN, found)
    failure = ET.fromstring(junit(RUN, found)).find(".//failure")
    assert failure is not None
    assert failure.get("message") == f"{SAID}; alpha failed"
    assert f"# {SAID}\n# reason: alpha failed\nnot ok 1 selftests/default/futex:run.sh\n" in ktap(found)
    (test,) = json.loads(json.dumps(summary_json(RUN, found)))["tests"]
    assert (test["verdict"], test["unknown"]) == (said, ["sub:alpha"])


def test_the_known_failure_is_told_as_before() -> None:
    found = verdict(failing("beta"), "sub:beta")
    assert another_way(found.tests[0]) == ""
    texts = (summary_text(RUN, found), mail(RUN, found), junit(RUN, found), ktap(found))
    assert not any("another way" in text for text in texts)


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        (one(failing("alpha"), counts=Counts({S.PASS: 3})), ""),
        (one(failing("alpha"), counts=Counts({S.CRASH: 3})), "fails in another way: subtest alpha"),
        (one(Outcome(S.HANG), "sub:beta"), "fails in another way: hang (known: subtest beta)"),
        (
            one(
                Outcome(S.CRASH, oops="x", reports=(KernelReport("", "BUG in b", "x", gates=True, text="x"),)), "crash"
            ),
            "fails in another way: crash with BUG in b (known: crash without a kernel report)",
        ),
        (
            one(failing("d", "c", "b", "a", "x"), *(f"sub:{n}" for n in range(5))),
            f"fails in another way: {_three('a', 'b', 'c')} (known: {_three('0', '1', '2')})",
        ),
    ],
)
def test_words(judged: Judged, words: str) -> None:
    assert another_way(judged) == words


def test_a_fingerprint_comes_with_the_first_line_that_differs() -> None:
    now = Outcome(S.FAIL, subtests=(Subtest("output:0123abcd", S.FAIL, "+cp: No space left on device"),))
    assert another_way(one(now, "output:4567abcd")) == (
        'fails in another way: output 0123abcd "+cp: No space left on device" (known: output 4567abcd)'
    )


def test_a_name_from_a_guest_is_bounded_and_cannot_change_the_terminal() -> None:
    said = another_way(one(failing("\x1b[2J" + "a" * 5000), "sub:beta"))
    assert "\x1b" not in said
    assert len(said) < 250
