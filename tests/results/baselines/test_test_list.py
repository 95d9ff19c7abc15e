"""Lists of tests: named by what they say, and several of them sum up to any counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.test_list import counts_of, format_list, level_lists, name_of, parse, read
from kdevops.results.model import Counts, Status
from tests.results.baselines.strategies import NAMES

S = Status
FILE = Path("tests-0.txt")
LISTS = st.dictionaries(NAMES, st.sampled_from([S.PASS, S.SKIP]), max_size=6)
NUMBERS = st.dictionaries(NAMES, st.integers(1, 60), max_size=6)


@given(LISTS)
def test_what_is_written_is_read_back(tests: dict[str, Status]) -> None:
    text = format_list(tests)
    assert parse(text, path=FILE) == tests
    assert read(text, path=Path(f"tests-{name_of(text)}.txt")) == tests


@given(st.text(max_size=60))
def test_any_text_is_a_list_or_a_mistake_that_is_told(text: str) -> None:
    told = ""
    try:
        found = parse(text, path=FILE)
        assert parse(format_list(found), path=FILE) == found
    except UserError as error:
        told = str(error)
    assert not told or told.startswith("tests-0.txt:")


def test_a_list_that_is_not_what_its_name_says_is_refused() -> None:
    with pytest.raises(UserError, match="was changed"):
        read("generic/001\n", path=FILE)


@given(NUMBERS, NUMBERS)
def test_levels_sum_up_to_the_counts(passes: dict[str, int], skips: dict[str, int]) -> None:
    skips = {name: number for name, number in skips.items() if name not in passes}
    levels = level_lists(passes, skips)
    lists = {name_of(text): parse(text, path=FILE) for text in levels}
    found = counts_of({name_of(text): times for text, times in levels.items()}, lists)
    assert found == {name: Counts({S.PASS: n}) for name, n in passes.items()} | {
        name: Counts({S.SKIP: n}) for name, n in skips.items()
    }
