"""What becomes of a test over runs: every run belongs to one time of failing, or to none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.decision.interval import wilson
from kdevops.results.history import Failure, History, Rate, State, histories
from kdevops.results.model import Status
from kdevops.results.occurrences import Occurrence

LETTERS = {
    "p": Status.PASS,
    "f": Status.FAIL,
    "s": Status.SKIP,
    "c": Status.CRASH,
    "h": Status.HANG,
    "m": Status.MISSING,
}


def of(word: str, lab: str = "xfs", kernel: str = "6.1.1") -> History:
    """The history of a test that ended so in run 1, 2, ….."""
    found = [Occurrence(run, lab, f"2026-01-{run:02}", kernel, LETTERS[each]) for run, each in enumerate(word, 1)]
    (history,) = histories(found)
    return history


def lived(failure: Failure) -> tuple[int | None, int, int | None, int]:
    """Passed in, began in, fixed in, and in how many runs it failed."""
    after, fixed = (each and each.run for each in (failure.after, failure.fixed))
    return after, failure.began.run, fixed, failure.runs


@pytest.mark.parametrize(
    ("word", "state", "passed", "began", "failures"),
    [
        ("p", State.PASSES, 1, None, []),
        ("ppf", State.NEW, 2, 3, [(2, 3, None, 1)]),
        ("ppfsm", State.NEW, 2, 3, [(2, 3, None, 1)]),
        ("psfch", State.FAILING, 1, 3, [(1, 3, None, 3)]),
        ("ff", State.FAILING, None, 1, [(None, 1, None, 2)]),
        ("ffp", State.PASSES, 3, None, [(None, 1, 3, 2)]),
        ("pfpsff", State.FAILING, 3, 5, [(3, 5, None, 2), (1, 2, 3, 1)]),
        ("sm", State.NEVER_RAN, None, None, []),
    ],
)
def test_the_life_of_a_failure(
    word: str, state: State, passed: int | None, began: int | None, failures: list[tuple[int | None, ...]]
) -> None:
    history = of(word)
    assert history.state is state
    assert (history.last_passed and history.last_passed.run) == passed
    assert (history.began and history.began.run) == began
    assert [lived(each) for each in history.failures] == failures
    assert [event.run for event in history.events] == list(range(len(word), 0, -1))


def test_each_lab_has_a_history_of_its_own_the_newest_first() -> None:
    found = [
        Occurrence(1, "ab", "2026", "6.1.1", Status.PASS),
        Occurrence(2, "ab-dev", "2026", "6.1.2", Status.FAIL),
        Occurrence(3, "ab", "2026", "6.1.1", Status.PASS),
    ]
    assert [(each.lab, each.state) for each in histories(found)] == [("ab", State.PASSES), ("ab-dev", State.NEW)]


def test_repeats_are_one_event_that_is_bad_where_any_was() -> None:
    results = [
        Occurrence(1, "x", "2026", "k", status, str(status)) for status in (Status.PASS, Status.FAIL, Status.PASS)
    ]
    (history,) = histories(results)
    (event,) = history.events
    assert (event.bad, event.good, event.reason) == (True, False, "fail")
    assert history.rates == [Rate("k", 2, 3)]


def test_reruns_count_in_the_rate_and_are_no_events() -> None:
    found = [
        Occurrence(1, "x", "2026", "6.1.1", Status.PASS),
        Occurrence(2, "x", "2026", "6.1.2", Status.FAIL),
        *(Occurrence(run, "x", "2026", "6.1.2", Status.PASS, "", 2) for run in (3, 4, 5)),
        Occurrence(6, "x", "2026", "6.1.1", Status.SKIP, "", 2),
    ]
    (history,) = histories(found)
    assert (history.state, [event.run for event in history.events]) == (State.NEW, [2, 1])
    assert history.rates == [Rate("6.1.2", 3, 4), Rate("6.1.1", 1, 1)]
    assert history.rates[0].interval == wilson(3, 4)


@given(st.text("pfschm", min_size=1, max_size=30))
def test_every_bad_run_is_in_one_time_of_failing(word: str) -> None:
    history = of(word)
    spans = [(each.began.run, each.fixed.run if each.fixed else len(word) + 1) for each in history.failures]
    assert spans == sorted(spans, reverse=True)
    bad = {run for run, each in enumerate(word, 1) if LETTERS[each].is_bad}
    inside = [run for begin, end in spans for run in range(begin, end) if run in bad]
    assert sorted(inside) == sorted(bad)
    assert sum(each.runs for each in history.failures) == len(bad)
    assert not any(word[run - 1] == "p" for begin, end in spans for run in range(begin, end))
    informative = [each for each in word if each in "pfch"]
    failing = history.state in {State.NEW, State.FAILING}
    assert failing == bool(informative and informative[-1] != "p") == (history.began is not None)
