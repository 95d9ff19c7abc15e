from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.suites.fstests.catalogue import Catalogue, read

CATALOGUE = Catalogue(
    {
        "btrfs/001": ("auto", "raid-stripe-tree"),
        "generic/001": ("auto", "quick"),
        "overlay/001": ("auto", "quick"),
        "selftest/001": ("selftest",),
        "shared/002": ("auto",),
        "xfs/001": ("auto", "rw"),
    }
)


def tree(path: Path, **files: str) -> Path:
    """A tree with these files; "generic_001" is `tests/generic/001`."""
    for name, text in files.items():
        file = path / "tests" / name.replace("_", "/", 1)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def test_groups_are_in_the_tests(tmp_path: Path) -> None:
    script = "#! /bin/bash\n# _begin_fstest not\n. ./common/preamble\n_begin_fstest auto raid-stripe-tree # why\necho\n"
    found = read(tree(tmp_path, xfs_002=script, generic_001="_begin_fstest\tquick\n", generic_002="_begin_fstest \n"))
    assert found.tests == {"generic/001": ("quick",), "generic/002": (), "xfs/002": ("auto", "raid-stripe-tree")}
    assert list(found.tests) == sorted(found.tests)


def test_in_an_old_tree_they_are_in_group_files(tmp_path: Path) -> None:
    listing = "# QA groups control file\nother 1\n\n001 rw auto quick\n191-input-validation auto # old\n003 auto\n"
    found = read(tree(tmp_path, xfs_group=listing, xfs_001="#!/bin/sh\n", **{"xfs_191-input-validation": ""}))
    assert found.tests == {"xfs/001": ("rw", "auto", "quick"), "xfs/191-input-validation": ("auto",)}


def test_what_is_no_test_is_passed_over(tmp_path: Path) -> None:
    begin = "_begin_fstest auto\n"
    files = {
        "generic_001.out": begin,
        "generic_Makefile": begin,
        "generic_group.list": "001 auto\n",
        "generic_12": begin,
    }
    path = tree(tmp_path, generic_001=begin, generic_002="no begin\n", **files)
    (path / "tests/generic/003").mkdir()
    (path / "tests/Makefile").write_text("")
    assert list(read(path).tests) == ["generic/001"]


def test_a_tree_without_tests_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read as an fstests tree: .*/tests: No such file"):
        read(tmp_path)
    (tmp_path / "tests").mkdir()
    with pytest.raises(UserError, match="has no test"):
        read(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tree(tmp_path_factory.getbasetemp() / "any", generic_001="_begin_fstest auto\n", generic_002="")
    (path / "tests/generic/002").write_bytes(content)
    (path / "tests/generic/group").write_bytes(content)
    assert read(path).tests["generic/001"] == ("auto",)


def test_which_directories_are_for_a_file_system() -> None:
    assert CATALOGUE.of("xfs") == ("generic/001", "shared/002", "xfs/001")
    assert CATALOGUE.of("nfs") == ("generic/001", "shared/002")
    assert CATALOGUE.asked_for("btrfs") == ("btrfs/001", "generic/001", "selftest/001", "shared/002")


@pytest.mark.parametrize(
    ("group", "tests"),
    [
        ("quick", ["generic/001", "overlay/001"]),
        ("xfs/rw", ["xfs/001"]),
        ("xfs/quick", []),
        ("all", list(CATALOGUE.tests)),
        ("xfs/all", ["xfs/001"]),
        ("generic/001", []),
    ],
)
def test_a_group_is_named_alone_or_with_its_directory(group: str, tests: list[str]) -> None:
    assert [test for test in CATALOGUE.tests if CATALOGUE.belongs(test, group)] == tests
    assert (group in CATALOGUE.groups) == bool(tests)
