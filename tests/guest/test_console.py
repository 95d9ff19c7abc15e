from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import end_of, follow, read_since, strip_prefix, tail

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


def test_reading_from_an_offset_and_the_tail(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text(f"{STAMP}old\n")
    offset = end_of(path)
    with path.open("a") as file:
        file.write(f"{STAMP}new\n{STAMP}newest\n")
    assert read_since(path, offset) == ["new", "newest"]
    assert tail(path, 1) == "newest"
    assert read_since(tmp_path / "none", 0) == []
    assert tail(tmp_path / "none") == ""
    assert end_of(tmp_path / "none") == 0


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text("x" * 100 + "\n" + "last\n")
    assert read_since(path, 0, limit=5) == ["last"]
    assert read_since(path, 100, end=103) == ["", "la"]
    assert read_since(path, 0, limit=3, end=103) == ["", "la"]
    assert read_since(path, 900, end=999) == ["x" * 100, "last"], "it was rotated since"


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
