from __future__ import annotations

from datetime import date
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.baselines.entry import Entry, Seen
from kdevops.results.expunges.counts import HEADER, MAX_COUNT, Counted, exported, lines_of, own_lists
from kdevops.results.expunges.lists import Listed, parse
from kdevops.results.expunges.tree import Tree
from kdevops.results.model import Counts, Status
from kdevops.results.rate import counts_of, rate_of

PASS, FAIL, SKIP, CRASH, HANG, _ = Status
LIST = PurePosixPath("6.1/xfs/unassigned/xfs_crc.txt")
numbers = st.integers(0, 10_000)
words = st.sampled_from(
    [
        "flaky",
        "crashes",
        "F:1/3",
        "hung",
        "after 3 runs",
        "rate",
        "https://bugs.example/1/2",
        "no",
        "12/13",
        "only with HZ=100",
        "x;",
        "F:1/40;",
    ]
)
notes = st.one_of(
    st.lists(words, max_size=6).map(" ".join), st.text(max_size=60), st.text("crash hng # F:1/3\n", max_size=500)
)


def place(suite: str, profile: str) -> PurePosixPath | None:
    return PurePosixPath("xfs/unassigned", f"{profile}.txt") if suite == "fstests" else None


def counts(lines: list[str], test: str = "generic/475") -> Counts:
    """What the lines of a test say together: each of one way to end, of the same runs."""
    read = parse("".join(f"{line}\n" for line in lines), Path("x"))
    assert {each.test for each in read} <= {test}
    told = [counts_of(each.note) for each in read]
    assert len({each.ran for each in told}) <= 1
    bad = {status: number for each in told for status, number in each.counts.items() if status.is_bad}
    assert sum(bad.values()) == sum(each.bad for each in told)  # each way once
    runs = told[0].ran if told else 0
    left = runs - sum(bad.values())
    return Counts({**({PASS: left} if left else {}), **bad})


@given(
    st.fixed_dictionaries({PASS: numbers, FAIL: numbers, CRASH: numbers, HANG: numbers, SKIP: numbers}), notes, notes
)
def test_the_lines_say_the_counts_again(given: dict[Status, int], note: str, of_crash: str) -> None:
    entry = Entry(Counts({s: n for s, n in given.items() if n}), note=note, symptoms={"crash:x": Seen(1, of_crash)})
    lines = lines_of("generic/475", [entry])
    if not entry.counts.bad:
        assert lines == []
        return
    expected = {s: n for s, n in given.items() if n and s is not SKIP}
    assert counts(lines) == Counts(expected)
    read = parse("".join(f"{line}\n" for line in lines), Path("x"))
    assert counts_of(Listed(tuple(read), "6.1").reason) == Counts(expected)  # read as all lines of a test are


def test_a_line_for_each_way_to_end_the_most_frequent_first() -> None:
    entry = Entry(Counts({PASS: 35, HANG: 1, FAIL: 3, CRASH: 1}), note="flaky since 6.1.20 https://bugs.example/1")
    assert lines_of("xfs/168", [entry]) == [
        "xfs/168 # F:3/40 flaky since 6.1.20 https://bugs.example/1",
        "xfs/168 # crash F:1/40",
        "xfs/168 # Hung:1/40",
    ]


def test_a_note_that_says_how_it_ends_stands_there_or_above() -> None:
    entry = Entry(Counts({PASS: 8, FAIL: 2}), note="hangs at times")
    assert lines_of("xfs/168", [entry]) == ["# xfs/168: hangs at times", "xfs/168 # F:2/10"]
    entry = Entry(Counts({PASS: 7, FAIL: 2, HANG: 1}), note="hangs at times")
    assert lines_of("xfs/168", [entry]) == ["xfs/168 # F:2/10", "xfs/168 # Hung:1/10 hangs at times"]
    ways = {"crash:WARNING in x": Seen(1, "only with HZ=100"), "sub:a": Seen(2, "since 6.1.20")}
    entry = Entry(Counts({FAIL: 2, CRASH: 1}), symptoms=ways)
    assert lines_of("xfs/168", [entry]) == [
        "xfs/168 # F:2/3 sub:a: since 6.1.20",
        "xfs/168 # crash F:1/3 crash:WARNING in x: only with HZ=100",
    ]


def test_several_counts_of_a_test_are_summed() -> None:
    entries = [Entry(Counts({PASS: 9, FAIL: 1}), note="a"), Entry(Counts({PASS: 3, FAIL: 2}), note="a")]
    assert lines_of("block/011", entries) == ["block/011 # F:3/15 a"]
    assert rate_of(lines_of("block/011", [Entry(Counts({PASS: MAX_COUNT, FAIL: MAX_COUNT}))])[0]) is not None


def test_what_passes_or_is_no_longer_known_is_not_listed() -> None:
    entries = {
        "xfs/001": Entry(Counts({PASS: 3})),
        "xfs/002": Entry(Counts({SKIP: 3})),
        "xfs/003": Entry(Counts({FAIL: 3}), until=date(2026, 1, 1)),
        "xfs/004": Entry(Counts({FAIL: 3}), until=date(2026, 1, 3)),
        "no name of a test": Entry(Counts({FAIL: 3})),
    }
    counted = [Counted("6.1", "fstests", "xfs_crc", entries), Counted("6.1", "selftests", "default", entries)]
    assert own_lists(counted, place, today=date(2026, 1, 2)) == {"fstests": Tree({LIST: "xfs/004 # F:3/3\n"})}
    (tree,) = own_lists(counted, place, kernel="6.1.192", today=date(2026, 1, 2)).values()
    assert [str(path) for path in tree.lists] == ["6.1.192/xfs/unassigned/xfs_crc.txt"]


@pytest.mark.parametrize(
    ("there", "imported", "own", "after"),
    [
        ("", "", "xfs/001 # F:1/2\n", HEADER + "xfs/001 # F:1/2\n"),
        (HEADER + "xfs/001 # F:1/2\n", "", "xfs/001 # F:2/4\n", HEADER + "xfs/001 # F:2/4\n"),
        (HEADER + "xfs/001 # F:1/2\n", "", "", HEADER),
        ("xfs/001 # F:1/9\n", "", "xfs/001 # F:2/4\n", "xfs/001 # F:1/9\nxfs/001 # F:2/4\n"),
        (HEADER + "xfs/001 # F:1/2\n", "xfs/002\n", "xfs/001 # F:2/4\n", "xfs/001 # F:2/4\nxfs/002\n"),
        ("", "xfs/002 # a\n", "", "xfs/002 # a\n"),
        ("", "", "", None),
    ],
)
def test_own_counts_replace_earlier_ones_and_nothing_else(
    there: str, imported: str, own: str, after: str | None
) -> None:
    before, of_others = (Tree({LIST: text} if text else {}) for text in (there, imported))
    found = exported(before, of_others, Tree({LIST: own}))
    assert found.lists.get(LIST) == after
    assert exported(found, of_others, Tree({LIST: own})) == found
