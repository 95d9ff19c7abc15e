"""What the keeper understands of QEMU's machine protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.providers.qemu.monitor import Monitor

GREETING = {"QMP": {"version": {}, "capabilities": ["oob"]}}
FULL = {
    "event": "BLOCK_IO_ERROR",
    "data": {"nospace": True, "reason": "No space left", "operation": "write", "action": "stop"},
}


def say(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)


def status(name: str) -> dict[str, object]:
    return {"return": {"status": name, "running": name == "running"}, "id": "status"}


def commands(data: bytes) -> list[str]:
    return [json.loads(line)["execute"] for line in data.splitlines()]


def greeted(now: float = 0.0) -> Monitor:
    monitor = Monitor(now)
    assert commands(monitor.feed(say(GREETING), now)) == ["qmp_capabilities", "query-status"]
    monitor.feed(say({"return": {}}, status("running")), now)
    return monitor


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("running", ""),
        ("suspended", ""),
        ("guest-panicked", ""),
        ("paused", "QEMU has the machine stopped (paused)"),
        ("internal-error", "QEMU has the machine stopped (internal-error)"),
        ("io-error", "QEMU could not read or write a disk of the guest"),
    ],
)
def test_a_machine_is_held_unless_it_runs_or_stopped_itself(name: str, held: str) -> None:
    monitor = greeted()
    assert commands(monitor.feed(say({"event": "STOP"}), 1.0)) == ["query-status"]
    monitor.feed(say(status(name)), 1.0)
    assert monitor.held(1.0) == held


def test_a_full_disk_is_tried_again_each_time_later_until_the_machine_runs() -> None:
    monitor, now, waits = greeted(), 100.0, []
    monitor.feed(say(FULL, {"event": "STOP"}, status("io-error")), now)
    assert monitor.held(now) == "QEMU could not write a disk of the guest: No space left"
    for _ in range(8):
        wait = monitor.sleep(now)
        assert wait is not None
        waits.append(wait)
        assert monitor.due(now + wait / 2) == b""
        now += wait
        assert commands(monitor.due(now)) == ["cont", "query-status"]
        monitor.feed(say({"event": "RESUME"}, FULL, {"event": "STOP"}, status("io-error")), now)
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]
    now += 10
    monitor.due(now)
    monitor.feed(say({"event": "RESUME"}, status("running")), now)
    assert monitor.sleep(now) is None
    assert monitor.held(now) == ""
    monitor.feed(say(FULL, {"event": "STOP"}, status("io-error")), now + 1000)
    assert monitor.sleep(now + 1000) == 0.5, "long ago"


def test_a_machine_that_somebody_paused_is_left_alone() -> None:
    monitor = greeted()
    monitor.feed(say({"event": "STOP"}, status("paused")), 1.0)
    assert monitor.sleep(1.0) is None
    assert monitor.due(1e6) == b""


def test_a_qemu_that_does_not_answer_is_held_and_asked_no_more() -> None:
    monitor = greeted()
    assert monitor.wanted(0.5) == b"", "it was asked just now"
    assert commands(monitor.wanted(10.0)) == ["query-status"]
    assert monitor.wanted(20.0) == b""
    assert monitor.held(12.0) == ""
    assert monitor.held(18.0) == "QEMU has not answered for 8 s"
    monitor.feed(say(status("running")), 18.0)
    assert monitor.held(18.0) == ""


@pytest.mark.parametrize(("guest", "reason"), [(True, "guest-reset"), (False, "host-signal")])
def test_the_reason_of_an_end_is_kept(guest: bool, reason: str) -> None:
    monitor = greeted()
    monitor.feed(say({"event": "SHUTDOWN", "data": {"guest": guest, "reason": reason}}), 1.0)
    assert (monitor.shutdown, monitor.guest_did_it) == (reason, guest)


STREAM = say(GREETING, {"return": {}}, status("running"), FULL, {"event": "STOP"}, status("io-error"), {"event": "X"})


@given(st.lists(st.integers(1, 60)))
def test_it_does_not_matter_how_messages_are_cut(cuts: Sequence[int]) -> None:
    whole, cut, rest, answers = Monitor(0), Monitor(0), STREAM, b""
    for size in cuts:
        answers += cut.feed(rest[:size], 0)
        rest = rest[size:]
    answers += cut.feed(rest, 0)
    assert answers == whole.feed(STREAM, 0)
    assert (cut.held(0), cut.sleep(0)) == (whole.held(0), whole.sleep(0))


@given(st.lists(st.binary(max_size=200)), st.lists(st.recursive(st.none() | st.text(), st.lists)))
def test_garbage_is_passed_over(pieces: Sequence[bytes], messages: Sequence[object]) -> None:
    monitor = greeted()
    for piece in [*pieces, b"\n", say(*messages), b"x" * 200_000, b"\n"]:
        assert monitor.feed(piece, 0) == b""
    monitor.feed(say(status("paused")), 0)
    assert monitor.held(0)
