"""The files of a baseline, on disk and as they were kept."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines import baseline
from kdevops.results.baselines.committed import AbsentError
from kdevops.results.baselines.files import Files, unpacked

NAMES = st.from_regex(r"[a-z0-9.]{1,8}(/[a-z0-9%.]{1,8}){0,2}", fullmatch=True)
TEXTS = {
    "6.1/selftests/default.txt": "a  pass=1\n",
    "6.1/fstests/xfs_crc.txt": "generic/001  fail=1\n",
    "6.1/reports.txt": "WARNING in foo\n",
    "6.1/accepted.txt": "",
    "6.6/selftests/default.txt": "a  fail=1\n",
    "mine/selftests/default.txt": "a  fail=1\n",
    "reports.yaml": "",
    "README.md": "read me",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@given(st.dictionaries(NAMES, st.text()))
def test_what_is_packed_is_read_back(texts: dict[str, str]) -> None:
    files = Files(Path("/there"), texts)
    again = unpacked(Path("/there"), files.packed())
    assert again == files
    assert [again.read(name) for name in texts] == list(texts.values())


@pytest.mark.parametrize("pattern", ["*", "*/*", "*/*.txt", "*/*/*.txt", "6.1/*/*.txt", "9.9/*/*.txt"])
def test_the_same_files_are_named_as_on_disk(directory: Path, pattern: str) -> None:
    kept = Files(directory, TEXTS)
    on_disk = [name for name in Files(directory).named(pattern) if (directory / name).is_file()]
    assert kept.named(pattern) == on_disk


def test_what_is_kept_is_what_a_series_needs(directory: Path) -> None:
    kept = baseline.kept(directory, "6.1", {("selftests", "default")})
    assert set(kept.texts or ()) == {
        "6.1/selftests/default.txt",
        "6.1/reports.txt",
        "6.1/accepted.txt",
        "mine/selftests/default.txt",
        "reports.yaml",
    }
    now = baseline.load(directory, "6.1")
    before = baseline.load(unpacked(directory, kept.packed()), "6.1")
    assert before.tables == {("selftests", "default"): now.tables["selftests", "default"]}
    assert (before.reports, before.ignored, before.allowed) == (now.reports, now.ignored, now.allowed)


def test_files_that_are_gone_since_are_still_read(directory: Path) -> None:
    kept = baseline.kept(directory, "6.1", {("selftests", "default")})
    (directory / "6.1/selftests/default.txt").write_text("<<<<<<< mine\n")
    assert baseline.load(kept, "6.1").tables["selftests", "default"].entries.keys() == {"a"}
    with pytest.raises(UserError):
        baseline.load(directory, "6.1")


def test_a_file_that_was_not_there_is_absent(directory: Path) -> None:
    with pytest.raises(AbsentError, match=r"6\.9/reports\.txt"):
        Files(directory, TEXTS).read(PurePosixPath("6.9/reports.txt"))


def test_files_on_disk_cannot_be_packed(directory: Path) -> None:
    with pytest.raises(ValueError, match="kept"):
        Files(directory).packed()
