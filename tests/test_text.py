import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.text import clean, without_escapes

HOSTILE = st.text(alphabet=st.characters() | st.sampled_from("\x1b\x9b\x9d\x07[]m;0\r\n\t\u202e"), max_size=60)


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b1;31mred", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended, and not hidden", "never ended, and not hidden"),
        ("\x1b(Bplain", "plain"),
        ("  over\rwritten\b\x00 ", "over written"),
        ("a\nb\tc", "a b c"),
        ("abc\u202etxt.exe", "abctxt.exe"),
        ("lone \udcff surrogate", "lone  surrogate"),
        ("ünï-日本 ✓", "ünï-日本 ✓"),
    ],
)
def test_one_line(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


def test_lines_are_kept_on_request() -> None:
    assert clean("BUG:\r\n RIP\x1b[K\tx\n", lines=True) == "BUG:\n RIP x\n"


def test_what_is_cut_shows() -> None:
    assert clean("abcdef", 4) == "abc…"
    assert clean("abcd", 4) == "abcd"


@given(HOSTILE, st.integers(0, 40) | st.none(), st.booleans())
def test_nothing_unprintable_is_left_and_the_limit_holds(text: str, limit: int | None, lines: bool) -> None:
    result = clean(text, limit, lines=lines)
    kept = result.replace("\n", "") if lines else result
    assert not [c for c in kept if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert limit is None or len(result) <= limit
    assert clean(result, limit, lines=lines) == result
    result.encode()


@given(HOSTILE, st.booleans())
def test_the_fast_ways_remove_what_looking_at_each_character_would(text: str, lines: bool) -> None:
    assert clean(text, lines=lines) == each_character(text, lines=lines)


def test_each_character_there_is_is_cleaned_alike() -> None:
    characters = map(chr, range(0x110000))
    different = [
        c for c in characters if clean(c) != each_character(c) or clean(c, lines=True) != each_character(c, lines=True)
    ]
    assert not different


def each_character(text: str, *, lines: bool = False) -> str:
    """The definition of what `clean` does, one character after the other."""
    text = without_escapes(text)
    if lines:
        text = text.replace("\r\n", "\n")
    kept = ""
    for character in text:
        if character == "\n" and lines:
            kept += character
        elif character in "\n\r\t\v\f\x85\u2028\u2029":
            kept += " "
        elif unicodedata.category(character) not in {"Cc", "Cf", "Cs"}:
            kept += character
    return kept if lines else kept.strip()


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_printable_text_passes_untouched(text: str) -> None:
    assert clean(text) == text
