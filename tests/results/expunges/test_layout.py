from pathlib import Path, PurePosixPath

import pytest

from kdevops.errors import UserError
from kdevops.results.expunges.layout import check_other, is_around, is_list, of_baseline, suite_of, tree_for, trees_in


@pytest.mark.parametrize(
    ("suite", "path", "said"),
    [
        ("fstests", "6.1.42/xfs/unassigned/xfs_crc.txt", True),
        ("fstests", "6.1.42/xfs/unassigned/P0/xfs_crc.txt", True),
        ("fstests", "debian/12/xfs/diff/all.txt", True),
        ("fstests", "any/large-disk.txt", True),
        ("fstests", "any/xfs/large-disk.txt", True),
        ("fstests", "any/xfs/unassigned/all.txt", True),
        ("fstests", "6.1.42/xfs/xfs_crc.txt", False),
        ("fstests", "6.1.42/xfs/unassigned/P9/xfs_crc.txt", False),
        ("fstests", "any/README.md", False),
        ("blktests", "6.1.42/failures.txt", True),
        ("blktests", "debian/12/failures.txt", True),
        ("blktests", "failures.txt", False),
        ("blktests", "6.1.42/other.txt", False),
    ],
)
def test_where_lists_are(suite: str, path: str, said: bool) -> None:
    assert is_list(suite, PurePosixPath(path)) is said


@pytest.mark.parametrize(
    ("paths", "suite"),
    [
        (["any/failures.txt"], "blktests"),
        (["any/failures.txt", "any/large-disk.txt"], "fstests"),
        (["6.1/failures.txt", "README.md"], "blktests"),
        (["Documentation/x.txt", "a/b/c/d.txt"], ""),
        ([], ""),
    ],
)
def test_whose_lists_they_are(paths: list[str], suite: str) -> None:
    assert suite_of(map(PurePosixPath, paths)) == suite


@pytest.mark.parametrize(
    ("suite", "paths", "said"),
    [
        ("fstests", ["t/6.1.42/xfs/unassigned/a.txt", "t/6.1-rc3/xfs/diff/a.txt"], True),
        ("blktests", ["t/any/failures.txt"], True),
        ("fstests", ["debian/12/xfs/unassigned/a.txt"], False),
        ("fstests", ["alpine/3.18.4/xfs/unassigned/a.txt", "6.1.42/xfs/unassigned/a.txt"], False),
        ("fstests", ["any/large-disk.txt"], False),
        ("fstests", [], False),
    ],
)
def test_a_directory_around_a_tree_is_told_from_one(suite: str, paths: list[str], *, said: bool) -> None:
    assert is_around(suite, map(PurePosixPath, paths)) is said


def test_a_directory_may_have_the_trees_of_several_suites(tmp_path: Path) -> None:
    assert trees_in(tmp_path) == {}
    assert tree_for(tmp_path, "fstests") == tmp_path / "fstests"
    (tmp_path / "blktests").mkdir()
    assert trees_in(tmp_path) == {"blktests": tmp_path / "blktests"}
    upstream = tmp_path / "workflows/blktests/expunges"
    upstream.mkdir(parents=True)
    assert trees_in(tmp_path) == {"blktests": upstream}
    assert tree_for(tmp_path, "fstests") == tmp_path / "workflows/fstests/expunges"


def test_a_baseline_may_have_trees(tmp_path: Path) -> None:
    assert of_baseline(None, "fstests") == of_baseline(tmp_path, "fstests") == ()
    own = tmp_path / "expunges/fstests"
    own.mkdir(parents=True)
    assert of_baseline(tmp_path, "fstests") == (own,)
    assert trees_in(tmp_path) == {"fstests": own}
    check_other(tmp_path / "other", tmp_path)
    with pytest.raises(UserError, match="is a part of the baseline"):
        check_other(own, tmp_path)
