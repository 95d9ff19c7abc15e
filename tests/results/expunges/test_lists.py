from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.expunges.lists import MAX_BYTES, Expunge, parse, read

FILE = Path("all.txt")


@pytest.mark.parametrize(
    ("line", "test", "note"),
    [
        ("generic/455", "generic/455", ""),
        ("  generic/455\t\r", "generic/455", ""),
        ("generic/482 # F:1/11", "generic/482", "F:1/11"),
        ("xfs/168 # Hung:1/6 https://bugs.example/1#c2", "xfs/168", "Hung:1/6 https://bugs.example/1#c2"),
        ("ext4/004\t# dump/restore doesn't", "ext4/004", "dump/restore doesn't"),
        ("xfs/191-input-validation", "xfs/191-input-validation", ""),
        ("generic/531 #korg#218226 \x1b[31mx", "generic/531", "korg#218226 x"),
    ],
)
def test_a_line(line: str, test: str, note: str) -> None:
    assert parse(f"# comment\n\n{line}\n", FILE) == [Expunge(test, FILE, 3, note)]


@pytest.mark.parametrize(
    "line", ["generic", "generic/", "generic/1", "../generic/001", "xfs/168 Hung:1/6", "a b", "xfs/*"]
)
def test_what_is_no_line_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(UserError, match=r"^all.txt:2: not a line of an expunge list"):
        parse(f"generic/001\n{line}\n", FILE)


tests = st.from_regex(r"[a-z0-9_]{1,8}/[0-9]{3}[A-Za-z0-9-]{0,8}", fullmatch=True)
notes = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=30)


@given(st.lists(st.tuples(tests, notes), max_size=8))
def test_what_is_written_is_read(entries: list[tuple[str, str]]) -> None:
    text = "".join(f"{test} # {note}\n" for test, note in entries)
    expected = [Expunge(test, FILE, line, note) for line, (test, note) in enumerate(entries, start=1)]
    assert [(each.test, each.line) for each in parse(text, FILE)] == [(each.test, each.line) for each in expected]
    assert all(each.note == other.note.lstrip() for each, other in zip(parse(text, FILE), expected, strict=True))


@given(st.text(alphabet=st.sampled_from("xf/01 #\n\t") | st.characters(), max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        found = parse(text, FILE)
    except UserError as error:
        refused = str(error)
    else:
        refused = ""
        lines = text.split("\n")
        assert all(each.test in lines[each.line - 1] and each.note.isprintable() for each in found)
    assert not refused or refused.startswith("all.txt:")


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfxfs/001 # F:1/3\r\nxfs/002\r\n", b"xfs/001 # F:1/3\nxfs/002"])
def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_mistake(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "all.txt"
    path.write_bytes(text)
    assert [(each.test, each.note) for each in parse(read(path), path)] == [("xfs/001", "F:1/3"), ("xfs/002", "")]


def test_a_list_in_utf_16_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "all.txt"
    path.write_text("xfs/001\n", "utf-16")
    with pytest.raises(UserError, match=r"all.txt:1: not a line of an expunge list"):
        parse(read(path), path)


def within(seconds: float, path: Path) -> str:
    """What `read` says of the path, if it says it at once."""
    said = list[str]()

    def ask() -> None:
        with pytest.raises(UserError) as raised:
            read(path)
        said.append(str(raised.value))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    assert not asking.is_alive()
    return said[0]


def test_what_is_no_list_is_refused_at_once(tmp_path: Path) -> None:
    fifo, large, endless = tmp_path / "fifo", tmp_path / "large", tmp_path / "endless"
    os.mkfifo(fifo)
    with large.open("wb") as file:
        file.truncate(200 << 20)
    endless.symlink_to("/dev/zero")
    assert "is not a regular file" in within(5, fifo)
    assert "is not a regular file" in within(5, endless)
    assert "is not a regular file" in within(5, tmp_path)
    assert "No such file" in within(5, tmp_path / "nowhere")
    started = time.process_time()
    assert f"is larger than {MAX_BYTES >> 20} MiB" in within(5, large)
    assert time.process_time() - started < 1


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may read everything")
def test_what_nobody_may_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "all.txt"
    path.write_text("xfs/001\n")
    path.chmod(0)
    with pytest.raises(UserError, match=r"cannot read the expunge list .*all.txt: Permission denied"):
        read(path)


@given(st.binary(max_size=80))
def test_any_bytes_are_text(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    path.write_bytes(data)
    assert isinstance(read(path), str)
