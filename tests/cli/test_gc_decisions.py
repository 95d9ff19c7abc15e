"""What `kdevops gc` says and does about what it found: every case that is told apart."""

from __future__ import annotations

import pytest

from kdevops.cli.gc import Advice, Facts, advice, still_due


@pytest.mark.parametrize(
    ("facts", "delete", "what"),
    [
        (Facts(), False, Advice.NOTHING_TO_DO),
        (Facts(), True, Advice.NOTHING_TO_DO),
        (Facts(overdue=True), False, Advice.HOW_TO_DELETE),
        (Facts(unused=True), False, Advice.HOW_TO_DELETE),
        (Facts(overdue=True, unused=True), False, Advice.HOW_TO_DELETE),
        (Facts(overdue=True), True, Advice.NOTHING_MORE),
        (Facts(unused=True), True, Advice.NOTHING_MORE),
    ],
)
def test_what_is_said_of_what_was_found(facts: Facts, delete: bool, what: Advice) -> None:
    assert advice(facts, delete=delete) is what


@pytest.mark.parametrize(
    ("recorded", "overdue", "due"),
    [
        pytest.param(True, True, True, id="as it was when it was listed"),
        pytest.param(True, False, False, id="it was given more time meanwhile"),
        pytest.param(False, False, True, id="its record is gone, and something may be left"),
    ],
)
def test_machines_are_destroyed_only_while_they_are_overdue(recorded: bool, overdue: bool, due: bool) -> None:
    assert still_due(recorded, overdue=overdue) is due
