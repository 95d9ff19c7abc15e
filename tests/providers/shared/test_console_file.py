"""A guest's console on a disk that is full, or fails, for a while."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.console import read_since
from kdevops.providers.shared import console_file
from kdevops.providers.shared.console_file import ConsoleFile


class Disk:
    """A console file whose disk takes as many bytes of each write as `room` says; None: it is full."""

    def __init__(self, console: ConsoleFile, room: Iterator[int | None]) -> None:
        self._file, self._room = console._file, room
        console._file = self  # type: ignore[assignment]

    def write(self, data: bytes) -> int:
        room = next(self._room, 1 << 30)
        if room is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(bytes(data[:room]))

    def tell(self) -> int:
        return self._file.tell()


@given(
    st.lists(st.text("ab\n", min_size=1, max_size=20).map(str.encode), min_size=1, max_size=10),
    st.lists(st.none() | st.integers(0, 30)),
)
def test_whatever_a_disk_refuses_comes_later_and_whole(
    tmp_path_factory: pytest.TempPathFactory, said: Sequence[bytes], room: list[int | None]
) -> None:
    path = tmp_path_factory.mktemp("disk") / "console.log"
    console = ConsoleFile(path, 1 << 20)
    Disk(console, iter(room))
    for data in said:
        console.write(data)
    while not console.flush():
        assert console.behind
    assert not console.behind
    assert read_since(path, 0) == b"".join(said).decode().split("\n")[: len(read_since(path, 0))]
    assert "\n".join(read_since(path, 0)) == b"".join(said).decode().removesuffix("\n")


def test_what_does_not_fit_anywhere_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_file, "_MAX_WAITING", 100)
    console = ConsoleFile(tmp_path / "console.log", 1 << 20)
    Disk(console, iter([None] * 5))
    for text in (b"the cause\n", b"x" * 200 + b"\n", b"later\n"):
        console.write(text)
    while not console.flush():
        pass
    console.write(b"after\n")
    assert read_since(tmp_path / "console.log", 0) == [
        "the cause",
        "[kdevops: 207 bytes of the console are missing here: the disk was full or failed]",
        "after",
    ]


def test_a_file_that_cannot_be_put_aside_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = ConsoleFile(tmp_path / "console.log", 50)
    real = Path.open

    def full(path: Path, *arguments: object, **options: object) -> object:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "open", full)
    for number in range(5):
        console.write(b"line %d\n" % number)
    monkeypatch.setattr(Path, "open", real)
    assert read_since(tmp_path / "console.log", 0) == [f"line {number}" for number in range(5)]
    console.write(b"more\n")
    assert read_since(tmp_path / "console.log.old", 0)[-1] == "more"
    assert read_since(tmp_path / "console.log", 0) == []
