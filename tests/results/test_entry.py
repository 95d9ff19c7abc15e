"""What the results of a run change in the history of a test."""

from __future__ import annotations

import pytest

from kdevops.results import entry as module
from kdevops.results.entry import Entry, Seen, updated
from kdevops.results.model import Counts, Outcome, Status, Subtest, TestId

S = Status
TEST = TestId("selftests", "default", "futex:run.sh")


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


def test_each_result_counts_its_symptoms_once() -> None:
    entry = updated(None, TEST, [failing("a", "a", "b"), failing("b"), Outcome(S.PASS), Outcome(S.HANG)], afresh=False)
    assert entry.symptoms == {"sub:a": Seen(1), "sub:b": Seen(2), "hang": Seen(1)}
    again = updated(entry, TEST, [failing("b", "c")], afresh=False)
    assert again.symptoms == {"sub:a": Seen(1), "sub:b": Seen(3), "hang": Seen(1), "sub:c": Seen(1)}


def test_notes_stay_with_what_comes_again() -> None:
    before = Entry(Counts({S.FAIL: 4}), symptoms={"sub:a": Seen(4, "bug 1"), "sub:b": Seen(2, "bug 2")})
    merged = updated(before, TEST, [failing("a")], afresh=False)
    assert merged.symptoms == {"sub:a": Seen(5, "bug 1"), "sub:b": Seen(2, "bug 2")}
    restarted = updated(before, TEST, [failing("a")], afresh=True)
    assert (restarted.counts, restarted.symptoms) == (Counts({S.FAIL: 1}), {"sub:a": Seen(1, "bug 1")})


def test_the_worst_are_kept_and_the_cut_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SYMPTOMS", 3)
    before = Entry(Counts({S.FAIL: 9}), symptoms={"sub:z": Seen(9), "sub:a": Seen(1), "hang": Seen(1)})
    entry = updated(before, TEST, [failing("m"), failing("m"), Outcome(S.CRASH)], afresh=False)
    assert entry.symptoms == {"crash": Seen(1), "hang": Seen(1), "sub:z": Seen(9)}
    assert entry.symptoms_cut == 2
    assert updated(entry, TEST, [Outcome(S.PASS)], afresh=False).symptoms_cut == 2
    assert updated(entry, TEST, [failing("m")], afresh=True).symptoms_cut == 0


def test_the_limit_is_that_of_the_store() -> None:
    entry = updated(None, TEST, [failing(*(f"s{n}" for n in range(10_007)))], afresh=False)
    assert (len(entry.symptoms), entry.symptoms_cut) == (10_000, 7)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (Entry(Counts({S.FAIL: 1})), {S.CRASH, S.HANG}),
        (Entry(Counts({S.FAIL: 1}), symptoms={"sub:a": Seen(1)}), {S.FAIL, S.CRASH, S.HANG}),
        (Entry(Counts({S.FAIL: 1, S.CRASH: 1}), symptoms={"crash": Seen(1)}), {S.CRASH, S.HANG}),
        (Entry(Counts({S.HANG: 1, S.CRASH: 1})), {S.FAIL}),
    ],
)
def test_whether_it_says_how_a_test_went_bad(entry: Entry, told: set[Status]) -> None:
    assert {status for status in Status if status.is_bad and entry.tells_how(status)} == told
