"""Answers about one console are joined so that nothing is lost and nothing is there twice."""

from __future__ import annotations

import time

from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.providers.remote_console import fresh_part

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
