"""Files of counts: what they say is read back, and a mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.counted import Counted, Unit, format_counted, parse
from kdevops.results.baselines.entry import Entry, Seen
from kdevops.results.model import Counts, Status
from tests.results.baselines.strategies import ENTRIES, HASHES, NOTES

S = Status
FILE = Path("baselines/6.1/x86_64/fstests/xfs_crc/sum-0.txt")
A, B, C = "a" * 16, "b" * 16, "c" * 16
SAMPLE = f"""\
# of ours
run {A}  tests={C}  # 2026-11-21 22:42 UTC, 6.1.192, lab demo
run {B}
tests {C}=3
instead {C}
generic/001  pass=0
generic/475  crash=1
generic/475>crash:WARNING%20in%20foo  seen=1
"""


def read(text: str) -> Counted:
    return parse(text, path=FILE)


def test_a_file_is_read() -> None:
    found = read(SAMPLE)
    assert found == Counted(
        {Unit(A, C): "2026-11-21 22:42 UTC, 6.1.192, lab demo", Unit(B, ""): ""},
        {
            "generic/001": Entry(Counts()),
            "generic/475": Entry(Counts({S.CRASH: 1}), symptoms={"crash:WARNING in foo": Seen(1)}),
        },
        {C: 3},
        frozenset({C}),
        ("# of ours",),
    )
    assert (found.marks, found.lists) == ({A, B}, {C: 4})
    assert format_counted(found) == SAMPLE


@given(
    st.dictionaries(st.builds(Unit, HASHES, st.one_of(st.just(""), HASHES)), NOTES, min_size=1, max_size=4),
    ENTRIES,
    st.dictionaries(HASHES, st.integers(1, 999), max_size=2),
    st.frozensets(HASHES, max_size=2),
)
def test_what_is_written_is_read_back(
    units: dict[Unit, str], entries: dict[str, Entry], unnamed: dict[str, int], instead: frozenset[str]
) -> None:
    counted = Counted(units, entries, unnamed, instead, ("# head",))
    assert read(format_counted(counted)) == counted


@given(st.text(max_size=60), st.integers(0, 8))
def test_no_text_is_misread_or_raises_anything_else(text: str, place: int) -> None:
    lines = SAMPLE.splitlines()
    lines.insert(place, text)
    told = ""
    try:
        found = read("\n".join(lines) + "\n")
        assert read(format_counted(found)) == found
    except UserError as error:
        told = str(error)
    assert not told or told.startswith(str(FILE))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("generic/001  fail=1\n", ": no line says which run this counts"),
        (f"run {A}\nrun {A}\n", f":2: the run {A} is here twice"),
        (f"run {A}\ntests {C}=1\ntests {C}=2\n", f":3: the tests {C} are here twice"),
        (f"run {A}\n<<<<<<< HEAD\n", ":2: an unresolved git conflict"),
        (f"run {A}\nrun x\n", ":2: not a test line: run x"),
        (f"run {A}\na  fail=1\n# b\n", ":3: a comment between tests"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        read(text)
    assert str(error.value).startswith(f"{FILE}{told}")
