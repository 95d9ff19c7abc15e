from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import Reader, end_of, end_position, follow, read_since, strip_prefix

STAMP = "2026-11-21T00:31:02.123Z "


def test_the_stamp_is_taken_off_and_nothing_else() -> None:
    assert strip_prefix(f"{STAMP}[    0.1] booting") == "[    0.1] booting"
    assert strip_prefix("[    0.1] booting") == "[    0.1] booting"
    assert strip_prefix(f"{STAMP}") == ""


@given(
    st.text(
        alphabet=st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", exclude_categories=["Cs"])
    )
)
def test_any_stamped_line_comes_back(text: str) -> None:
    assert strip_prefix(STAMP + text) == text


def test_reading_from_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text(f"{STAMP}old\n")
    offset = end_of(path)
    with path.open("a") as file:
        file.write(f"{STAMP}new\n{STAMP}newest\n")
    assert read_since(path, offset) == ["new", "newest"]
    assert read_since(tmp_path / "none", 0) == []
    assert end_of(tmp_path / "none") == 0


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text("x" * 100 + "\n" + "last\n")
    assert read_since(path, 0, limit=5) == ["last"]
    assert read_since(path, 100, end=103) == ["", "la"]
    assert read_since(path, 0, limit=3, end=103) == ["", "la"]
    assert read_since(path, 900, end=999) == ["x" * 100, "last"], "it was rotated since"


def test_nothing_between_two_looks_is_lost_when_a_console_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"seen ")
    reader = Reader(path)
    assert reader.read() == b"seen "
    with path.open("ab") as file:
        file.write(b"the rest, which is longer than what comes ")
    path.rename(tmp_path / "console.log.0")
    with pytest.raises(FileNotFoundError):
        reader.read()
    path.write_bytes(b"new")
    assert reader.read(9) == b"the rest,"
    assert reader.read() == b" which is longer than what comes "
    assert reader.read() == b"new"
    assert reader.read() == b""


def test_a_console_that_was_put_aside_before_the_first_look(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    (tmp_path / "console.log.0").write_bytes(b"old, and so on\n")
    path.write_bytes(b"new\n")
    reader = Reader(path, len(b"old, "))
    assert [reader.read(), reader.read()] == [b"and so on\n", b"new\n"]
    assert read_since(path, len(b"old, ")) == ["and so on", "new"]
    assert read_since(path, len(b"old, "), limit=6) == ["n", "new"]
    assert read_since(path, 1) == ["ew"], "whether it was put aside cannot be told"


def test_a_console_that_was_put_aside_and_has_grown_past_the_place_since(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"old, ")
    since = end_position(path)
    with path.open("ab") as file:
        file.write(b"and so on\n")
    end = end_position(path)
    with path.open("ab") as file:
        file.write(b"too late\n")
    path.replace(tmp_path / "console.log.old")
    path.write_bytes(b"new and much longer\n")
    assert read_since(path, since) == ["and so on", "too late", "new and much longer"]
    assert read_since(path, since, limit=24) == ["ate", "new and much longer"]
    assert read_since(path, since, end=end) == ["and so on"], "it ended before the console was put aside"
    assert read_since(path, since, limit=3, end=end) == ["on"]
    assert read_since(path, end, end=end_position(path)) == ["too late", "new and much longer"]


def test_a_console_that_is_begun_anew_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    (tmp_path / "console.log.0").write_bytes(b"of some other time, and long enough")
    path.write_bytes(b"before")
    reader = Reader(path)
    reader.read()
    path.write_bytes(b"new")
    assert reader.read() == b"new"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.booleans(), st.booleans()), max_size=12))
def test_all_that_was_written_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bytes, bool, bool]]
) -> None:
    """Any writing, putting aside and looking, as long as somebody looks between two times of putting aside."""
    path = tmp_path_factory.mktemp("console") / "console.log"
    path.touch()
    reader, read, written, fresh = Reader(path), b"", b"", False
    read += reader.read()

    def look() -> None:
        nonlocal read
        while chunk := reader.read(4):
            read += chunk

    for text, rotates, looks in steps:
        with path.open("ab") as file:
            file.write(text)
        written += text
        if looks:
            look()
            fresh = True
        if rotates and fresh:
            path.replace(path.with_name("console.log.0"))
            path.touch()
            fresh = False
    look()
    assert read == written


def test_a_console_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "console.log").mkdir()
    assert read_since(tmp_path / "console.log", 0) == []


def test_following_sees_lines_as_they_come_and_across_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "console.log"

    async def main() -> list[str]:
        path.write_text(f"{STAMP}one\n{STAMP}tw")
        seen = []
        async for line in follow(path):
            seen.append(line)
            if line == "one":
                with path.open("a") as file:
                    file.write("o\n")
            elif line == "two":
                path.rename(tmp_path / "console.log.old")
                path.write_text(f"{STAMP}three\n")
            else:
                break
        return seen

    assert asyncio.run(asyncio.wait_for(main(), 30)) == ["one", "two", "three"]
