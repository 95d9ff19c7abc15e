"""What is done as a harness goes on and ends: every case that is told apart, in a table."""

from __future__ import annotations

from itertools import product

import pytest

from kdevops.run.drive.endings import (
    Belief,
    Ending,
    Look,
    Over,
    Rest,
    Seen,
    Unfinished,
    belief,
    ending,
    look,
    unfinished,
)
from kdevops.run.drive.job import MAX_LOST

FLAGS = (False, True)


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        (Seen(), Look.GO_ON),
        (Seen(done=True), Look.ENDED),
        (Seen(done=True, alive=False, overdue=True, unfit=True, unserved=True), Look.ENDED),
        (Seen(alive=False), Look.DIED),
        (Seen(alive=False, overdue=True, unfit=True, unserved=True), Look.DIED),
        (Seen(overdue=True), Look.STOP),
        (Seen(unfit=True), Look.STOP),
        (Seen(unserved=True), Look.STOP),
    ],
)
def test_what_a_look_at_a_harness_means(seen: Seen, what: Look) -> None:
    assert look(seen) is what


@pytest.mark.parametrize(
    ("over", "why"),
    [
        (Over(ended=True), Ending.ENDED),
        (Over(ended=True, unfit=True), Ending.ENDED),
        (Over(), Ending.HUNG),
        (Over(unfit=True), Ending.SPOILT),
        (Over(lost=True), Ending.LOST),
        (Over(lost=True, unfit=True), Ending.LOST),
        (Over(unserved=True), Ending.UNSERVED),
        (Over(ended=True, unserved=True), Ending.UNSERVED),
        (Over(lost=True, unserved=True), Ending.UNSERVED),
        (Over(unfit=True, unserved=True), Ending.UNSERVED),
    ],
)
def test_why_a_go_is_over(over: Over, why: Ending) -> None:
    assert ending(over) is why


def test_without_a_server_nothing_else_is_concluded() -> None:
    for ended, lost, unfit in product(FLAGS, repeat=3):
        assert ending(Over(ended, lost, unfit, unserved=True)) is Ending.UNSERVED


@pytest.mark.parametrize(
    ("doubted", "lost", "what"),
    [
        (False, 0, Belief.TAKEN),
        (False, MAX_LOST, Belief.TAKEN),
        (True, 0, Belief.AGAIN),
        (True, MAX_LOST - 1, Belief.AGAIN),
        (True, MAX_LOST, Belief.MISSING),
        (True, MAX_LOST + 1, Belief.MISSING),
    ],
)
def test_what_is_doubted_runs_again_and_is_missing_in_the_end(doubted: bool, lost: int, what: Belief) -> None:
    assert belief(doubted=doubted, lost=lost) is what


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        pytest.param(Rest(left=False), Unfinished.NONE, id="it told of all"),
        pytest.param(Rest(left=False, complains=True), Unfinished.NONE, id="it told of all and complained"),
        pytest.param(Rest(in_flight=True), Unfinished.BLAME, id="it died under a test"),
        pytest.param(Rest(in_flight=True, lost=MAX_LOST), Unfinished.BLAME, id="it died under a test once too often"),
        pytest.param(Rest(), Unfinished.AGAIN, id="it passed tests over"),
        pytest.param(Rest(lost=MAX_LOST - 1), Unfinished.AGAIN, id="it passed tests over again"),
        pytest.param(Rest(lost=MAX_LOST), Unfinished.MISSING, id="it passed tests over once too often"),
        pytest.param(Rest(complains=True), Unfinished.AGAIN, id="it refuses"),
        pytest.param(Rest(complains=True, lost=1), Unfinished.MISSING_ALIKE, id="it refuses on a fresh guest, too"),
        pytest.param(Rest(in_flight=True, complains=True), Unfinished.AGAIN, id="it gives up under a test"),
        pytest.param(
            Rest(in_flight=True, complains=True, lost=1), Unfinished.MISSING_ALIKE, id="it gives up under it again"
        ),
    ],
)
def test_what_becomes_of_tests_that_were_not_told_of(rest: Rest, what: Unfinished) -> None:
    assert unfinished(rest) is what


def test_a_harness_is_not_started_without_end() -> None:
    for in_flight, complains in product(FLAGS, repeat=2):
        assert unfinished(Rest(True, in_flight, complains, MAX_LOST)) is not Unfinished.AGAIN
