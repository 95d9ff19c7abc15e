"""Where fstests comes from: what is fetched, how it is told apart, and what is left alone."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.lab.fstests import FstestsSource
from kdevops.progress import silent
from kdevops.suites.fstests.source import FstestsTree, copy, fetch
from tests.support.fstests_toy import FILES, commit, make_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "xfstests")


def get(source: FstestsSource, tmp_path: Path) -> FstestsTree:
    return asyncio.run(fetch(source, cache=tmp_path / "cache", report=silent))


def files_of(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def test_a_commit_is_the_same_from_git_and_from_its_clean_work_tree(tree: Path, tmp_path: Path) -> None:
    head = commit(tree)
    cloned = get(FstestsSource(git=str(tree), ref="master"), tmp_path)
    local = get(FstestsSource(path=tree), tmp_path)
    assert (cloned.key, cloned.commit, cloned.diff_sha256) == (local.key, head, None)
    assert cloned.series == local.series == str(datetime.now(UTC).year)
    assert cloned.path != tree
    assert files_of(cloned.path) == set(FILES)


def test_a_change_is_known_by_its_difference(tree: Path, tmp_path: Path) -> None:
    head = commit(tree)
    clean = get(FstestsSource(path=tree), tmp_path)
    (tree / "tests/generic/002").write_text("new\n")
    dirty = get(FstestsSource(path=tree), tmp_path)
    assert dirty.commit == head
    assert dirty.diff_sha256
    assert dirty.key != clean.key
    (tree / "tests/generic/002").unlink()
    assert get(FstestsSource(path=tree), tmp_path) == clean


def test_what_git_ignores_is_not_copied(tree: Path, tmp_path: Path) -> None:
    commit(tree)
    (tree / "local.config").write_text("export TEST_DEV=/dev/sda1\n")
    (tree / "src/toy.o").write_text("built elsewhere\n")
    (tree / "tests/generic/002").write_text("not committed\n")
    before = files_of(tree)
    asyncio.run(copy(get(FstestsSource(path=tree), tmp_path), tmp_path / "copy"))
    assert files_of(tmp_path / "copy") == {*FILES, "tests/generic/002"}
    assert files_of(tree) == before


def test_a_tree_without_git_is_known_by_its_files(tree: Path, tmp_path: Path) -> None:
    first = get(FstestsSource(path=tree), tmp_path)
    assert first.commit is None
    asyncio.run(copy(first, tmp_path / "copy"))
    assert files_of(tmp_path / "copy") == set(FILES)
    os.utime(tree / "check", (1, 1))
    assert get(FstestsSource(path=tree), tmp_path).key != first.key


def test_a_tree_that_changes_meanwhile_is_told(tree: Path, tmp_path: Path) -> None:
    commit(tree)
    found = get(FstestsSource(path=tree), tmp_path)
    (tree / "check").write_text("edited\n")
    with pytest.raises(UserError, match="changed while it was read"):
        asyncio.run(copy(found, tmp_path / "copy"))


def test_what_is_no_fstests_is_refused_with_its_top(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not fstests: it has no check") as caught:
        get(FstestsSource(path=tree / "tests"), tmp_path)
    assert str(tree) in str(caught.value.hint)
    with pytest.raises(UserError, match="does not exist"):
        get(FstestsSource(path=tmp_path / "nowhere"), tmp_path)
    with pytest.raises(UserError, match="is not a directory"):
        get(FstestsSource(path=tree / "check"), tmp_path)


def test_a_repository_of_something_else_leaves_no_tree(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "README").write_text("something else\n")
    commit(other)
    with pytest.raises(UserError, match="is not fstests"):
        get(FstestsSource(git=str(other)), tmp_path)
    assert list((tmp_path / "cache/sources").iterdir()) == []


def test_an_unknown_ref_names_the_nearest(tree: Path, tmp_path: Path) -> None:
    commit(tree)
    with pytest.raises(UserError, match="no branch, tag or commit 'mastre'") as caught:
        get(FstestsSource(git=str(tree), ref="mastre"), tmp_path)
    assert "master" in str(caught.value.hint)


def test_a_repository_that_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="git cannot reach"):
        get(FstestsSource(git=f"file://{tmp_path}/nowhere.git"), tmp_path)
