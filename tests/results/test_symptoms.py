"""The identities of failures below a test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.rows import MAX_LINE
from kdevops.results.symptoms import failed_subtests, kind_of, spoken, symptoms
from kdevops.text import clean

S = Status
TEST = TestId("selftests", "default", "futex:run.sh")
FSTEST = TestId("fstests", "xfs_crc", "generic/001")
LOCKDEP = KernelReport("lockdep", "possible deadlock in a", "WARNING: possible circular locking", gates=True, text="L")
BUG = KernelReport("BUG", "kernel BUG in b", "kernel BUG at b.c:7!", gates=True, text="kernel BUG at b.c:7!\nCPU: 0")


def failing(*names: str, status: Status = S.FAIL) -> Outcome:
    return Outcome(status, subtests=tuple(Subtest(name, S.FAIL) for name in names))


def test_what_went_well_has_none() -> None:
    subtests = (Subtest("a", S.PASS), Subtest("b", S.SKIP))
    assert not any(symptoms(TEST, Outcome(status, subtests=subtests)) for status in Status if not status.is_bad)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(S.FAIL), {"fail"}),
        (Outcome(S.FAIL, subtests=(Subtest("a", S.PASS), Subtest("b", S.SKIP))), {"fail"}),
        (failing("alpha", "beta"), {"sub:alpha", "sub:beta"}),
        (failing("a / x / 1", "a / x", "a"), {"sub:a / x / 1"}),
        (failing("a / x", "a", "b"), {"sub:a / x", "sub:b"}),
        (Outcome(S.FAIL, subtests=(Subtest("never ended", S.MISSING),)), {"sub:never ended"}),
        (Outcome(S.HANG), {"hang"}),
        (Outcome(S.HANG, subtests=(Subtest("a", S.FAIL), Subtest("b", S.MISSING))), {"hang", "sub:a"}),
        (Outcome(S.CRASH), {"crash"}),
        (Outcome(S.CRASH, oops=BUG.text, reports=(LOCKDEP, BUG)), {"crash:kernel BUG in b"}),
        (Outcome(S.CRASH, oops="Oops: 7\nCPU", reports=(LOCKDEP,)), {"crash:Oops: 7"}),
        (failing("output:0123abcd"), {"output:0123abcd"}),
        (failing("output:0123ABCD"), {"sub:output:0123ABCD"}),
        (failing("\x1b[31mred\x07"), {"sub:red"}),
        (failing("\x07"), {"sub:(unnamed)"}),
        (failing("at 0x00007f1234567890, pid 4242"), {"sub:at 0x…, pid …"}),
        (failing("[514] Result (-22) of vec[16]"), {"sub:[…] Result (-22) of vec[16]"}),
        (failing("timeout=5000ns flags 0x10"), {"sub:timeout=5000ns flags 0x10"}),
    ],
)
def test_symptoms(outcome: Outcome, expected: set[str]) -> None:
    assert symptoms(TEST, outcome) == expected


def test_nobody_can_say_how_an_old_crash_or_a_failure_without_its_output_went_bad() -> None:
    assert symptoms(TEST, Outcome(S.CRASH, oops="Oops: 7")) == frozenset()
    assert symptoms(FSTEST, Outcome(S.FAIL, reason="output mismatch")) == frozenset()
    assert symptoms(FSTEST, Outcome(S.HANG)) == {"hang"}


@given(st.text())
def test_a_symptom_is_bounded_clean_and_the_same_after_the_store(name: str) -> None:
    (found,) = symptoms(TEST, failing(name))
    assert found == clean(found)
    assert len(found) <= MAX_LINE + len("sub:") + 2
    assert symptoms(TEST, failing(clean(name, MAX_LINE))) == {found}


def test_parents_are_not_listed_besides_their_children() -> None:
    outcome = failing("a / x", "b", "a / x", "a", "c / y / z", "c")
    assert failed_subtests(outcome) == ("a / x", "b", "c / y / z")


@pytest.mark.parametrize(
    ("symptom", "words", "status"),
    [
        ("sub:crash", "subtest crash", S.FAIL),
        ("crash:WARNING in foo", "crash with WARNING in foo", S.CRASH),
        ("crash", "crash without a kernel report", S.CRASH),
        ("hang", "hang", S.HANG),
        ("fail", "fail without a failing subtest", S.FAIL),
        ("output:0123abcd", "output 0123abcd", S.FAIL),
    ],
)
def test_words(symptom: str, words: str, status: Status) -> None:
    assert spoken(symptom) == words
    assert kind_of(symptom) is status
