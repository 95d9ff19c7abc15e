"""Answers about one console are joined so that nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.guest.console import strip_prefix
from kdevops.providers.shared.recorder import Polled, fresh_part

LINES = [f"[{number:>5}.000000] line {number * 7919 % 10007} of a boot\n".encode() for number in range(400)]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.integers(60, 4000))
@example([1, 400], 60)
def test_windows_on_one_console_give_all_of_it_as_long_as_they_touch(ends: list[int], window: int) -> None:
    recorded, seen, told = b"", b"", 0
    for end in sorted(ends):
        said = b"".join(LINES[:end])
        now = said[-window:]
        fresh = fresh_part(seen, now)
        recorded, seen = recorded + fresh, seen + fresh
        if len(said) - len(now) <= told:
            assert recorded == said
        else:
            return  # more was said between two looks than a look shows
        told = len(said)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_what_comes_after_is_always_an_end_of_what_was_told(seen: bytes, now: bytes) -> None:
    fresh = fresh_part(seen, now)
    assert now.endswith(fresh)
    assert (seen + fresh).endswith(now) or now in seen


@given(st.binary(min_size=1, max_size=300))
def test_the_same_answer_and_an_older_one_bring_nothing(seen: bytes) -> None:
    assert fresh_part(seen, seen) == b""
    assert fresh_part(seen, seen[: len(seen) // 2]) == b""


def test_a_console_that_began_anew_is_taken_whole() -> None:
    assert fresh_part(b"[ 9.0] the end\n", b"Linux version 6.1\n") == b"Linux version 6.1\n"


def test_a_console_that_says_the_same_for_ever_costs_no_time() -> None:
    began = time.monotonic()
    assert fresh_part(b"a" * (1 << 20), b"a" * (1 << 19) + b"b").endswith(b"b")
    assert time.monotonic() - began < 5


def polled(directory: Path, answers: Sequence[bytes], argv: Sequence[str], complaints: list[str] | None = None) -> str:
    """What is recorded, without its time stamps, when the command is asked after each answer was put into `answer`."""
    directory.mkdir(exist_ok=True)

    async def dead() -> bool:
        return False

    async def look() -> None:
        told = complaints if complaints is not None else []
        recorder = Polled(argv, directory / "console.log", told.append, dead)
        for answer in answers:
            (directory / "answer").write_bytes(answer)
            await recorder.catch_up()
        await recorder.stop()

    asyncio.run(look())
    lines = (directory / "console.log").read_text().splitlines(keepends=True)
    return "".join(strip_prefix(line) for line in lines)


@pytest.mark.parametrize("behind", ["", "\\n", "\\r\\n\\n", "\\000\\000\\000\\n"])
def test_what_a_tool_puts_behind_its_answer_is_no_part_of_the_console(tmp_path: Path, behind: str) -> None:
    """An oops that is told twice would be charged to a test that had no part in it."""
    said = [b"".join(LINES[:end]) for end in (3, 40, 40, 41, 200)]
    argv = ["sh", "-c", f"cat {tmp_path}/answer; printf '{behind}'"]
    assert polled(tmp_path, [*said, said[-1]], argv) == said[-1].decode()
    more = b"".join(LINES[:250])
    assert polled(tmp_path, [more, more], argv) == more.decode()


def test_a_line_that_is_cut_by_a_look_is_whole_in_the_record(tmp_path: Path) -> None:
    answers = [b"one\nBUG: kern", b"one\nBUG: kernel NULL pointer\n", b"one\nBUG: kernel NULL pointer\nlogin:"]
    recorded = polled(tmp_path, [*answers, answers[-1]], ["cat", f"{tmp_path}/answer"])
    assert recorded == "one\nBUG: kernel NULL pointer\nlogin:\n"


def test_a_console_that_cannot_be_read_is_told_of_once(tmp_path: Path) -> None:
    complaints: list[str] = []
    argv = ["sh", "-c", f"test -s {tmp_path}/answer || {{ echo expired >&2; exit 1; }}"]
    polled(tmp_path, [b"", b"", b"well", b""], argv, complaints)
    assert len(complaints) == 2
