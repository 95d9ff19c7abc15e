"""How one test is compared: what it is compared with, and what the baseline kernel adds, in tables."""

from __future__ import annotations

import pytest

from kdevops.results.baselines.entry import Entry
from kdevops.results.compare import Evidence, Measure, Verdict, judge_beside, measure
from kdevops.results.model import Counts, Status

S, V = Status, Verdict
PASS, FAIL, CRASH, HANG, SKIP, MISSING = (
    Counts({each: 1}) for each in (S.PASS, S.FAIL, S.CRASH, S.HANG, S.SKIP, S.MISSING)
)
FLAKY = Counts({S.PASS: 40, S.FAIL: 10})
HARDLY_EVER = Counts({S.PASS: 9, S.FAIL: 1})
OFTEN = Counts({S.PASS: 100})


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        (Evidence(), Measure.STORED),
        (Evidence(flaky=True), Measure.STORED),
        (Evidence(answered=True), Measure.ARM),
        (Evidence(answered=True, flaky=True), Measure.BOTH),
        (Evidence(answered=True, bad_there=True), Measure.ARM),
        (Evidence(answered=True, bad_there=True, flaky=True), Measure.ARM),
        (Evidence(answered=True, bad_there=True, by_chance=True), Measure.BOTH),
        (Evidence(answered=True, bad_there=True, by_chance=True, flaky=True), Measure.BOTH),
        (Evidence(by_chance=True), Measure.STORED),
    ],
)
def test_what_a_test_is_compared_with(evidence: Evidence, what: Measure) -> None:
    assert measure(evidence) is what


@pytest.mark.parametrize(
    ("stored", "arm", "now", "verdict"),
    [
        # nothing stored
        (None, None, FAIL, V.INCONCLUSIVE),
        (None, MISSING, FAIL, V.INCONCLUSIVE),
        (None, SKIP, SKIP, V.OK),
        (None, PASS, PASS, V.OK),
        (None, PASS, FAIL, V.INCONCLUSIVE),
        (None, PASS, HANG, V.INCONCLUSIVE),
        (None, FAIL, FAIL, V.KNOWN_FAILURE),
        (None, FAIL, CRASH, V.INCONCLUSIVE),
        (None, FAIL, PASS, V.FIXED),
        (None, HANG, HANG, V.KNOWN_FAILURE),
        (None, HANG, FAIL, V.INCONCLUSIVE),  # a hang is an answer to a hang only
        (None, PASS, MISSING, V.MISSING),
        # stored as passing
        (Entry(PASS), None, FAIL, V.INCONCLUSIVE),
        (Entry(PASS), FAIL, FAIL, V.INCONCLUSIVE),  # it may have failed there by chance
        (Entry(PASS), Counts({S.FAIL: 20}), FAIL, V.KNOWN_FAILURE),  # but not so often
        (Entry(OFTEN), FAIL, FAIL, V.KNOWN_FAILURE),  # nor after so many passes
        (Entry(OFTEN), FAIL, CRASH, V.INCONCLUSIVE),
        (Entry(PASS), CRASH, CRASH, V.INCONCLUSIVE),
        (Entry(PASS), HANG, HANG, V.INCONCLUSIVE),
        (Entry(PASS), FAIL, PASS, V.FIXED),
        (Entry(PASS), SKIP, SKIP, V.SKIPPED_NOW),
        (Entry(PASS), PASS, SKIP, V.SKIPPED_NOW),
        # stored as failing
        (Entry(FAIL), None, FAIL, V.KNOWN_FAILURE),
        (Entry(FAIL), FAIL, FAIL, V.KNOWN_FAILURE),
        (Entry(FAIL), PASS, FAIL, V.INCONCLUSIVE),
        (Entry(FAIL), MISSING, FAIL, V.KNOWN_FAILURE),
        # stored as flaky
        (Entry(FLAKY), PASS, FAIL, V.KNOWN_FLAKE),
        (Entry(FLAKY), PASS, CRASH, V.INCONCLUSIVE),
        (Entry(FLAKY), FAIL, FAIL, V.KNOWN_FLAKE),
        (Entry(HARDLY_EVER), PASS, FAIL, V.INCONCLUSIVE),
        (Entry(HARDLY_EVER), FAIL, FAIL, V.INCONCLUSIVE),
        (Entry(HARDLY_EVER), Counts({S.FAIL: 9}), FAIL, V.KNOWN_FAILURE),
        (Entry(FLAKY), PASS, PASS, V.OK),
        # expunged
        (Entry(FAIL, expunged=True), None, CRASH, V.KNOWN_FAILURE),
        (Entry(FAIL, expunged=True), PASS, CRASH, V.KNOWN_FLAKE),
        (Entry(FAIL, expunged=True), PASS, PASS, V.OK),
        (Entry(FAIL, expunged=True), FAIL, PASS, V.FIXED),
        (Entry(FLAKY, expunged=True), FAIL, FAIL, V.KNOWN_FAILURE),
        (Entry(FAIL, expunged=True), MISSING, SKIP, V.OK),
    ],
)
def test_what_the_baseline_kernel_adds(stored: Entry | None, arm: Counts | None, now: Counts, verdict: Verdict) -> None:
    assert judge_beside(stored, arm, now) is verdict
