from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import LostGuestError
from kdevops.guest.execute import Execution, Marks, Transcript, execute
from tests.support.local_guest import local_target


def run(
    script: str, *, timeout: float = 30, grace: float = 30, alive: Callable[[], bool] = lambda: True
) -> tuple[Execution, list[str]]:
    transcript = Transcript()
    work = execute(
        local_target(),
        ["sh", "-c", script],
        "/",
        marks=Marks.around("a test"),
        timeout=timeout,
        grace=grace,
        alive=alive,
        transcript=transcript,
    )
    return asyncio.run(work), transcript.lines()


def test_exit_code_and_both_streams() -> None:
    execution, lines = run("echo out; echo err >&2; exit 3")
    assert execution.returncode == 3
    assert sorted(line for line in lines if line) == ["err", "out"]


def test_exit_code_255_of_a_test_is_not_a_lost_guest() -> None:
    assert run("exit 255")[0].returncode == 255


def test_output_without_a_final_newline_is_whole() -> None:
    assert "tail" in run("printf tail")[1]


def test_a_test_past_its_deadline_is_stopped_in_the_guest() -> None:
    execution, lines = run("echo begun; sleep 600", timeout=1)
    assert execution.returncode is None
    assert not execution.silent
    assert "begun" in lines


def test_a_guest_that_does_not_even_report_the_deadline_is_silent(tmp_path: Path) -> None:
    # The test stops the wrapper above timeout(1), so nobody is left in the guest to say anything.
    script = "kill -STOP $(awk '{print $4}' /proc/$PPID/stat); sleep 600"
    execution, _ = run(script, timeout=1, grace=1)
    assert execution.silent


def test_daemons_left_behind_do_not_hold_up_the_result() -> None:
    execution, lines = run("sleep 60 & echo done")
    assert execution.returncode == 0
    assert execution.seconds < 30
    assert "done" in lines


def test_a_dying_guest_is_noticed_at_once() -> None:
    answers = iter([True, True, True])
    with pytest.raises(LostGuestError, match="died"):
        run("sleep 600", alive=lambda: next(answers, False))


def test_a_broken_connection_is_a_lost_guest() -> None:
    with pytest.raises(LostGuestError):
        run("kill -KILL $(awk '{print $4}' /proc/$PPID/stat)", timeout=2, grace=2)


def test_a_test_cannot_forge_the_report() -> None:
    execution, lines = run("echo kdevops-0000000000000000 0 0; exit 1")
    assert execution.returncode == 1
    assert "kdevops-0000000000000000 0 0" in lines


def test_the_end_of_a_test_cannot_be_forged_by_one_that_prints_command_lines() -> None:
    # What a test on a guest would do with ps, or grep -r in /proc, and what one would that means to pass.
    forge = "tr '\\0' '\\n' </proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$(awk '{print $4}' /proc/$PPID/stat)/cmdline"
    shown, _ = run(f"{forge}; exit 3")
    assert shown.returncode == 3
    meant, _ = run(f"for word in $({forge}); do echo $word 0 0; echo $word code 0; done; exit 3")
    assert meant.returncode == 3


def test_a_fit_guest_has_nothing_to_complain_of() -> None:
    execution, lines = run("echo a")
    assert execution.fitness.unfit == ""
    assert execution.fitness.taint is not None
    assert [line for line in lines if line] == ["a"], "what the guest says of itself is no part of the test's output"


@pytest.mark.parametrize("script", ["head -c 64M /dev/zero", "yes 0123456789abcdef | head -c 16M"])
def test_a_flood_is_bounded(script: str) -> None:
    execution, lines = run(script, timeout=120)
    assert execution.returncode == 0
    assert sum(map(len, lines)) + len(lines) <= (4 << 20) + 1000


@given(st.lists(st.text(max_size=200_000), max_size=60))
def test_transcript_keeps_head_and_tail_and_counts_the_rest(lines: list[str]) -> None:
    seen: list[str] = []
    transcript = Transcript(seen.append)
    for line in lines:
        transcript.add(line)
    assert seen == lines
    kept = transcript.lines()
    if not transcript.dropped:
        assert kept == lines
        return
    gap = next(
        index for index, line in enumerate(kept) if line == f"[kdevops: {transcript.dropped} lines left out here]"
    )
    assert kept[:gap] == lines[:gap]
    after = kept[gap + 1 :]
    assert after == lines[len(lines) - len(after) :]
    assert gap + transcript.dropped + len(after) == len(lines)
