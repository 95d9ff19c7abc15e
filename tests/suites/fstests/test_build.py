"""Building a toy fstests for real: what is made, kept, told, and left alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.images.disk import tool_path
from kdevops.lab.fstests import FstestsSource
from kdevops.lab.model import Image
from kdevops.progress import Report, silent
from kdevops.suites.fstests.build import BuiltFstests, build
from kdevops.suites.shared.proof import PROOF
from tests.support.fstests_toy import MAKEFILE, commit, make_tree

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("cc") and shutil.which("mkfs.ext4", path=tool_path())),
    reason="make, a C compiler and mkfs.ext4 are needed",
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdevops.suites.fstests.build._DISK_SIZE", 128 << 20)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = make_tree(tmp_path / "xfstests")
    commit(path)
    return path


def do(tree: Path, *, cache: str = "cache", report: Report = silent) -> BuiltFstests:
    return asyncio.run(build(FstestsSource(path=tree), Image(), cache=tree.parent / cache, report=report))


def debugfs(disk: Path, command: str) -> str:
    argv = ["debugfs", "-R", command, disk]
    return subprocess.run(argv, env={"PATH": tool_path()}, capture_output=True, text=True, check=True).stdout


def test_archive_and_disk_hold_the_built_tree(tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*") if ".git" not in path.parts}
    built = do(tree)
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*") if ".git" not in path.parts} == before
    with tarfile.open(built.tar) as archive:
        members = {member.name: member for member in archive}
    assert members["./src/toy"].mode & 0o111
    assert "./src/toy.o" not in members
    assert not any(name.startswith("./.git/") for name in members)
    assert {(member.uid, member.mtime) for member in members.values()} == {(0, 0)}
    assert debugfs(built.disk, "cat tests/generic/001.out") == "QA output created by 001\n"
    assert "Mode:  0755" in debugfs(built.disk, "stat src/toy")
    assert built.disk.stat().st_blocks * 512 < 64 << 20, "the image is sparse"
    assert (built.directory / "check").is_file()
    assert built.record["commit"] == built.commit
    assert built.record["payload"] == built.digest


def test_the_second_time_it_is_there(tree: Path) -> None:
    first = do(tree)
    status = first.disk.stat()
    details: list[str] = []
    assert do(tree, report=lambda news: details.append(news.detail)) == first
    assert len(details) == 1
    assert first.disk.stat() == status


def test_the_same_source_gives_the_same_archive(tree: Path) -> None:
    assert do(tree).digest == do(tree, cache="other").digest


def test_programs_that_may_not_fit_bring_their_proof(tree: Path) -> None:
    assert (do(tree).directory / PROOF).is_file()


def test_a_change_is_built_and_recorded(tree: Path) -> None:
    first = do(tree)
    (tree / "tests/generic/001").write_text("changed\n")
    second = do(tree)
    assert second.key != first.key
    assert second.commit == first.commit
    assert second.record["diff_sha256"]


def test_the_first_error_is_told_not_makes_last_line(tree: Path) -> None:
    (tree / "src/toy.c").write_text('#include "no-such-header.h"\n')
    with pytest.raises(UserError, match=r"does not build: src/toy\.c:1:10: fatal error: no-such-header\.h") as caught:
        do(tree)
    assert caught.value.log
    assert "make: ***" in caught.value.log.read_text()
    assert not [path for path in (tree.parent / "cache/fstests").iterdir() if path.is_dir()]


def test_what_configure_misses_is_told(tree: Path) -> None:
    rule = 'default:\n\t@echo "FATAL ERROR: cannot find a valid <xfs/xfs.h> header file."; exit 1\n'
    (tree / "Makefile").write_text(rule + MAKEFILE)
    with pytest.raises(UserError, match=r"cannot find a valid <xfs/xfs\.h> header file"):
        do(tree)


def test_half_of_a_result_is_built_again(tree: Path) -> None:
    first = do(tree)
    first.tar.unlink()
    assert do(tree) == first
    assert first.tar.is_file()


def test_our_callers_make_variables_do_not_leak(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MAKEFLAGS", "n")
    assert (do(tree).directory / "src/toy").is_file()
