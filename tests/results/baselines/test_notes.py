"""What people say of tests is read back, and merged line by line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.notes import Note, format_notes, parse
from tests.results.baselines.strategies import NAMES, NOTES

FILE = Path("notes.txt")
ANY = st.builds(Note, NAMES, st.one_of(st.just(""), NAMES), st.one_of(st.none(), st.dates()), NOTES, st.booleans())


def test_notes_are_read() -> None:
    text = (
        "generic/475  until=2027-01-31  # flaky since 6.1.20 https://x.example # really\n"
        "generic/475>crash:WARNING%20in%20foo  # only with HZ=100\n"
        "generic/999  gone  # removed in 2026\n"
        "generic/999  until=2027-01-31  gone\n"
    )
    assert parse(f"# of ours\n{text}", path=FILE) == (
        Note("generic/475", "", date(2027, 1, 31), "flaky since 6.1.20 https://x.example # really"),
        Note("generic/475", "crash:WARNING in foo", None, "only with HZ=100"),
        Note("generic/999", "", None, "removed in 2026", gone=True),
        Note("generic/999", "", date(2027, 1, 31), "", gone=True),
    )
    assert format_notes(parse(text, path=FILE)) == text


@given(st.lists(ANY, max_size=6))
def test_what_is_written_is_read_back(notes: list[Note]) -> None:
    text = format_notes(notes)
    assert set(parse(text, path=FILE)) == set(notes)
    assert format_notes(parse(text, path=FILE)) == text


@given(st.text(max_size=60))
def test_any_text_is_notes_or_a_mistake_that_is_told(text: str) -> None:
    told = ""
    try:
        found = parse(text, path=FILE)
        assert set(parse(format_notes(found), path=FILE)) == set(found)
    except UserError as error:
        told = str(error)
    assert not told or told.startswith("notes.txt:")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("generic/475  until=soon", "until=soon is not a day"),
        ("generic/475 flaky", "not a note: generic/475 flaky"),
        ("<<<<<<< HEAD", "an unresolved git conflict"),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        parse(f"a  # b\n{line}\n", path=FILE)
    assert str(error.value).startswith(f"notes.txt:2: {told}")
