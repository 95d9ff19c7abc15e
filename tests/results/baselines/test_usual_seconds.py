"""How long tests take: read back, and nothing that git's union makes of two versions is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.usual_seconds import format_seconds, parse
from tests.results.baselines.strategies import NAMES

FILE = Path("seconds-0.txt")
SECONDS = st.dictionaries(NAMES, st.integers(0, 10**6).map(lambda tenths: tenths / 10), max_size=6)


@given(SECONDS)
def test_what_takes_a_second_or_more_is_read_back(seconds: dict[str, float]) -> None:
    kept = {name: took for name, took in seconds.items() if took >= 1}
    assert parse(format_seconds(seconds), path=FILE) == kept


@given(SECONDS, SECONDS)
def test_the_lines_of_two_versions_together_are_the_longest_times(one: dict[str, float], two: dict[str, float]) -> None:
    both = parse(format_seconds(one) + format_seconds(two), path=FILE)
    parts = [parse(format_seconds(each), path=FILE) for each in (one, two)]
    assert both == {name: max(part.get(name, 0.0) for part in parts) for part in parts for name in part}


@given(st.text(max_size=40))
def test_any_text_is_seconds_or_a_mistake_that_is_told(text: str) -> None:
    told = ""
    try:
        assert all(took >= 0 for took in parse(text, path=FILE).values())
    except UserError as error:
        told = str(error)
    assert not told or told.startswith("seconds-0.txt:")


def test_a_mistake_is_told_with_its_line() -> None:
    with pytest.raises(UserError, match=r"seconds-0\.txt:2: not a test's seconds: generic/001 fast"):
        parse("generic/001 7.0\ngeneric/001 fast\n", path=FILE)
