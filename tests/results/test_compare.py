"""How one test is compared: what it is compared with, and what the baseline kernel adds, in tables."""

from __future__ import annotations

import pytest

from kdevops.results.compare import Evidence, Measure, Verdict, judge_beside, measure
from kdevops.results.entry import Entry
from kdevops.results.model import Counts, Status

S, V = Status, Verdict
PASS, FAIL, CRASH, HANG, SKIP, MISSING = (
    Counts({each: 1}) for each in (S.PASS, S.FAIL, S.CRASH, S.HANG, S.SKIP, S.MISSING)
)
FLAKY = Counts({S.PASS: 3, S.FAIL: 1})


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        (Evidence(), Measure.STORED),
        (Evidence(flaky=True), Measure.STORED),
        (Evidence(answered=True), Measure.ARM),
        (Evidence(answered=True, flaky=True), Measure.BOTH),
        (Evidence(answered=True, bad_there=True), Measure.ARM),
        (Evidence(answered=True, bad_there=True, flaky=True), Measure.ARM),
    ],
)
def test_what_a_test_is_compared_with(evidence: Evidence, what: Measure) -> None:
    assert measure(evidence) is what


@pytest.mark.parametrize(
    ("stored", "arm", "now", "verdict"),
    [
        # nothing stored
        (None, None, FAIL, V.NEW),
        (None, MISSING, FAIL, V.NEW),
        (None, SKIP, SKIP, V.OK),
        (None, PASS, PASS, V.OK),
        (None, PASS, FAIL, V.REGRESSED),
        (None, PASS, HANG, V.REGRESSED),
        (None, FAIL, FAIL, V.KNOWN_FAILURE),
        (None, FAIL, CRASH, V.REGRESSED),
        (None, FAIL, PASS, V.FIXED),
        (None, HANG, HANG, V.KNOWN_FAILURE),
        (None, HANG, FAIL, V.NEW),  # a hang is an answer to a hang only
        (None, PASS, MISSING, V.MISSING),
        # stored as passing
        (Entry(PASS), None, FAIL, V.REGRESSED),
        (Entry(PASS), FAIL, FAIL, V.KNOWN_FAILURE),
        (Entry(PASS), SKIP, SKIP, V.OK),
        (Entry(PASS), PASS, SKIP, V.SKIPPED_NOW),
        # stored as failing
        (Entry(FAIL), None, FAIL, V.KNOWN_FAILURE),
        (Entry(FAIL), PASS, FAIL, V.REGRESSED),
        (Entry(FAIL), MISSING, FAIL, V.KNOWN_FAILURE),
        # stored as flaky
        (Entry(FLAKY), PASS, FAIL, V.KNOWN_FLAKE),
        (Entry(FLAKY), PASS, CRASH, V.REGRESSED),
        (Entry(FLAKY), FAIL, FAIL, V.KNOWN_FAILURE),
        (Entry(FLAKY), PASS, PASS, V.OK),
        # expunged
        (Entry(FAIL, expunged=True), None, CRASH, V.KNOWN_FAILURE),
        (Entry(FAIL, expunged=True), PASS, CRASH, V.KNOWN_FLAKE),
        (Entry(FAIL, expunged=True), PASS, PASS, V.OK),
        (Entry(FAIL, expunged=True), FAIL, PASS, V.FIXED),
        (Entry(FAIL, expunged=True), MISSING, SKIP, V.OK),
    ],
)
def test_what_the_baseline_kernel_adds(stored: Entry | None, arm: Counts | None, now: Counts, verdict: Verdict) -> None:
    assert judge_beside(stored, arm, now) is verdict
