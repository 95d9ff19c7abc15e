"""What a guest sent is hostile: it stays in its directory, within its bounds, and a cut archive costs no whole file."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.archive import unpack


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_regular_files_with_plain_names_are_taken(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar", {"./generic/001.full": b"full", "check.time": b"generic/001 3"})
    written = unpack(archive, tmp_path / "out", 100)
    assert [path.read_bytes() for path in written] == [b"full", b"generic/001 3"]


def test_nothing_leaves_the_directory(tmp_path: Path) -> None:
    evil = {"../evil": b"x", "/evil": b"x", "a/../../evil": b"x", "a\\n": b"x", "large": b"x" * 1000}
    archive = archive_of(tmp_path / "a.tar", evil)
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert unpack(archive, tmp_path / "out", 100) == []


def test_a_cut_archive_gives_what_is_whole_in_it(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar", {"first": b"1" * 600, "second": b"2" * 600})
    archive.write_bytes(archive.read_bytes()[:1900])
    assert [path.name for path in unpack(archive, tmp_path / "out", 1000)] == ["first"]


def test_members_at_one_place_do_no_harm(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar", {"a": b"file", "a/b": b"below a file"})
    assert [path.name for path in unpack(archive, tmp_path / "out", 1000)] == ["a"]


@given(data=st.binary(max_size=3000))
def test_garbage_is_no_archive_and_no_error(tmp_path_factory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("garbage")
    (directory / "a.tar").write_bytes(data)
    assert unpack(directory / "a.tar", directory / "out", 1000) == []
