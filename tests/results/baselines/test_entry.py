"""What the results of a run change in the history of a test."""

from __future__ import annotations

from datetime import date

import pytest

from kdevops.results.baselines import entry as module
from kdevops.results.baselines.entry import Entry, Seen, added, of_results
from kdevops.results.model import Counts, Outcome, Status, Subtest, TestId

S = Status
TEST = TestId("selftests", "default", "futex:run.sh")


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


def test_each_result_counts_its_symptoms_once() -> None:
    entry = of_results(TEST, [failing("a", "a", "b"), failing("b"), Outcome(S.PASS), Outcome(S.HANG)])
    assert entry.symptoms == {"sub:a": Seen(1), "sub:b": Seen(2), "hang": Seen(1)}
    again = added(entry, of_results(TEST, [failing("b", "c")]))
    assert again.symptoms == {"sub:a": Seen(1), "sub:b": Seen(3), "hang": Seen(1), "sub:c": Seen(1)}
    assert again.counts == Counts({S.PASS: 1, S.FAIL: 3, S.HANG: 1})


def test_the_worst_are_kept_and_the_cut_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SYMPTOMS", 3)
    before = Entry(Counts({S.FAIL: 9}), symptoms={"sub:z": Seen(9), "sub:a": Seen(1), "hang": Seen(1)})
    entry = added(before, of_results(TEST, [failing("m"), failing("m"), Outcome(S.CRASH)]))
    assert entry.symptoms == {"crash": Seen(1), "hang": Seen(1), "sub:z": Seen(9)}
    assert entry.symptoms_cut == 2
    assert added(entry, of_results(TEST, [Outcome(S.PASS)])).symptoms_cut == 2


def test_the_limit_is_that_of_the_store() -> None:
    entry = of_results(TEST, [failing(*(f"s{n}" for n in range(10_007)))])
    assert (len(entry.symptoms), entry.symptoms_cut) == (10_000, 7)


def test_what_is_known_until_a_day_is_not_known_after_it() -> None:
    entry = Entry(Counts({S.PASS: 3, S.FAIL: 4}), note="x", symptoms={"fail": Seen(4)}, until=date(2026, 12, 1))
    assert entry.on(date(2026, 12, 1)) == entry.on(None) == entry
    assert entry.on(date(2026, 12, 2)) == Entry(Counts({S.PASS: 3}), note="x")


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
