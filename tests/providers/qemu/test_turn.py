"""What the keeper does in one turn: every case that is told apart."""

from __future__ import annotations

import pytest

from kdevops.providers.qemu.turn import FLUSH_EVERY, LOOK_EVERY, Heard, Move, move, nap


@pytest.mark.parametrize(
    ("heard", "what"),
    [
        pytest.param(Heard(), Move(), id="nothing that calls for a deed"),
        pytest.param(Heard(console_closed=True), Move(stop=True), id="QEMU ended, or will"),
        pytest.param(Heard(lifeline_closed=True), Move("lifeline", stop=True), id="nobody is left to keep it for"),
        pytest.param(Heard(halted=True), Move("halted"), id="its console closes when it was killed"),
        pytest.param(Heard(True, False, True), Move("halted", stop=True), id="halted, and closed at once"),
        pytest.param(Heard(True, True, False), Move("lifeline", stop=True), id="closed, and alone"),
        pytest.param(Heard(False, True, True), Move("halted", stop=True), id="what the guest did comes first"),
        pytest.param(Heard(True, True, True), Move("halted", stop=True), id="all at once"),
    ],
)
def test_what_is_heard_decides(heard: Heard, what: Move) -> None:
    assert move(heard) == what


@pytest.mark.parametrize(
    ("monitor", "behind", "seconds"),
    [
        (None, False, LOOK_EVERY),
        (None, True, FLUSH_EVERY),
        (0.25, False, 0.25),
        (0.25, True, 0.25),
        (60.0, False, LOOK_EVERY),
        (60.0, True, FLUSH_EVERY),
        (0.0, False, 0.0),
    ],
)
def test_the_next_turn_comes_when_something_is_due(monitor: float | None, behind: bool, seconds: float) -> None:
    assert nap(monitor, behind=behind) == seconds
