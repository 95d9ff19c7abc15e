"""Properties of what is read from the output of fstests' check, which no text may break."""

import itertools
import string

from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import TestId
from kdevops.suites.base import ParsedEnd, ParsedStart
from kdevops.text import clean
from tests.suites.fstests.check_printed import (
    FAIL,
    HEADER,
    MISSING,
    OLD,
    PASS,
    REAL,
    SKIP,
    TIMESTAMPS,
    TODAY,
    check_parser,
    read,
)


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in itertools.pairwise(marks)]


@given(st.sampled_from([TODAY, REAL, OLD, TIMESTAMPS]), st.lists(st.integers(0, 10_000), max_size=30))
def test_where_the_text_is_cut_does_not_matter(text: str, places: list[int]) -> None:
    names = [f"generic/{number:03}" for number in range(1, 20)]
    whole, pieces = check_parser(*names, "xfs/1001"), check_parser(*names, "xfs/1001")
    expected = [*whole.feed(text), *whole.close()]
    assert [event for piece in cut(text, places) for event in pieces.feed(piece)] + [*pieces.close()] == expected


_WORDS = st.sampled_from(
    [
        "generic/001",
        "generic/002",
        "xfs/003",
        " ",
        "\t",
        "       ",
        "5s",
        " 7s ... ",
        "\n",
        "\n\n",
        "[not run] ",
        "[expunged]",
        "[failed, exit status 1]",
        "- output mismatch (see x)",
        "_check_dmesg: y",
        "Ran: ",
        "\r\n",
        "\x1b[2J",
        "\x00",
        "    +",
        "check: no",
        " - unknown test, ignored",
        "our local x routine",
        "Interrupted!",
        "[10:00:00]",
        "�",
        "é",
    ]
)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=20)), max_size=60), st.lists(st.integers(0, 10_000), max_size=20))
def test_garbage_never_raises_and_no_end_is_told_twice_or_before_its_beginning(parts, places) -> None:
    reader = check_parser("generic/001", "generic/001#2", "generic/002", "xfs/003")
    events = [event for piece in cut("".join(parts), places) for event in reader.feed(piece)] + [*reader.close()]
    told = [event.test for event in events if isinstance(event, ParsedEnd)]
    assert len(told) == len(set(told))
    began: set[TestId] = set()
    for event in events:
        if isinstance(event, ParsedStart):
            began.add(event.test)
        else:
            assert event.outcome.status is MISSING or event.test in began
            assert event.outcome.reason == clean(event.outcome.reason)
    assert "\n" not in reader.complaint


_RESULTS = st.one_of(
    st.tuples(st.just(PASS), st.integers(0, 99_999), st.just("")),
    st.tuples(st.just(SKIP), st.just(0), st.text(string.ascii_letters, min_size=1)),
    st.tuples(st.just(FAIL), st.just(0), st.sampled_from(["failed, exit status 1", "output mismatch", "dumped core"])),
)


@given(st.lists(st.tuples(_RESULTS, st.none() | st.integers(0, 999)), max_size=12))
def test_what_check_writes_is_read_back(results) -> None:
    text, expected = HEADER, []
    for number, ((status, seconds, reason), last) in enumerate(results):
        name = f"generic/{number:03}"
        text += name + ("       " if last is None else f" {last}s ... ")
        if status is PASS:
            text += f" {seconds}s\n"
        elif status is SKIP:
            text += f"[not run] {reason}\n"
        else:
            text += "- output mismatch (see x)\n    +a\n" if reason == "output mismatch" else f"[{reason}]\n"
        expected.append((name, status, seconds, reason))
    assert read(text + "Ran: x\n", *(each[0] for each in expected)) == expected
