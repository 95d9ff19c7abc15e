"""Trees as other people have them, and what is none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.expunges import reading
from kdevops.results.expunges.lists import MAX_BYTES
from kdevops.results.expunges.reading import read_tree, read_trees
from tests.results.expunges.trees import BLKTESTS, FSTESTS, LINKS, write

LIST = "6.1.42/xfs/unassigned/all.txt"


def test_a_tree_is_read_as_it_is(tmp_path: Path) -> None:
    found = read_tree(write(tmp_path / "t", FSTESTS, LINKS))
    assert found.suite == "fstests"
    assert {str(path): text for path, text in found.tree.lists.items()} == FSTESTS
    assert {str(path): target for path, target in found.tree.links.items()} == LINKS
    assert found.left_out == ()
    assert (found.tree.entries, found.tree.notes) == (6, 4)


def test_a_checkout_has_the_trees_of_both_suites(tmp_path: Path) -> None:
    write(tmp_path / "workflows/fstests/expunges", FSTESTS, LINKS)
    write(tmp_path / "workflows/blktests/expunges", BLKTESTS)
    write(tmp_path, {"README.md": "x\n", "workflows/fstests/Kconfig": "x\n"})
    assert [(each.suite, each.tree.entries) for each in read_trees(tmp_path)] == [("fstests", 6), ("blktests", 3)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfxfs/001 # F:1/3\r\nxfs/002", "xfs/001 # F:1/3\nxfs/002\n"),
        (b"xfs/001\t# a  b \n\n", "xfs/001\t# a  b \n\n"),
        (b"xfs/001 # \x1b[31mred\x1b[0m\x00 \xc3\xa9\n", "xfs/001 # red \u00e9\n"),
        (b" ", " \n"),
        (b"xfs/001 # caf\xe9\n", "xfs/001 # caf\u00e9\n"),
        (b"", ""),
    ],
)
def test_what_does_not_change_the_meaning_is_made_alike(tmp_path: Path, data: bytes, text: str) -> None:
    write(tmp_path, {LIST: ""})
    (tmp_path / LIST).write_bytes(data)
    assert read_tree(tmp_path).tree.lists == {PurePosixPath(LIST): text}


def test_what_is_no_list_is_left_out_and_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        {LIST: "xfs/001\n", "any/README.md": "x", "top.txt": "no list", ".git/x/xfs/unassigned/a.txt": "y"},
        {"gone": "nowhere", "round": "round", "here": ".", "any/xfs": "../empty"},
    )
    (tmp_path / "empty").mkdir()
    found = read_tree(tmp_path)
    assert list(found.tree.lists) == [PurePosixPath(LIST)]
    assert found.tree.links == {}
    assert found.left_out == ("any/README.md", "any/xfs", "gone", "here", "round", "top.txt")


def test_an_absolute_link_inside_is_a_relative_one(tmp_path: Path) -> None:
    write(
        tmp_path,
        {LIST: "xfs/001\n"},
        {"6.1.72": str(tmp_path / "6.1.42"), "a": "6.1.42/../6.1.42/", "b": "./6.1.42", "c": "6.1.42/"},
    )
    links = read_tree(tmp_path).tree.links
    assert {str(path): target for path, target in links.items()} == {
        **dict.fromkeys(["6.1.72", "a", "b"], "6.1.42"),
        "c": "6.1.42",
    }


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 << 20)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "all.txt is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "leads out of"),
        (lambda path: path.symlink_to("/etc/passwd"), "leads out of"),
        (lambda path: path.symlink_to("../../../../outside.txt"), "leads out of"),
        (_huge, f"is larger than {MAX_BYTES >> 20} MiB"),
        (lambda path: path.write_text("<<<<<<< HEAD\nxfs/001\n=======\n"), "all.txt:1: an unresolved git conflict"),
        (lambda path: path.write_text("xfs/001\nxfs/1\n"), "all.txt:2: not a line of an expunge list"),
        (lambda path: path.mkdir(), ""),
    ],
)
def test_what_cannot_be_a_list_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    write(tmp_path, {"outside.txt": "xfs/001\n"})
    write(tmp_path / "t", {"6.1.42/xfs/unassigned/good.txt": "xfs/001\n"})
    make(tmp_path / "t" / LIST)
    told = list[str]()

    def ask() -> None:
        try:
            read_tree(tmp_path / "t")
        except UserError as error:
            told.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(10)
    assert not asking.is_alive()
    assert [said in each for each in told] == ([True] if said else [])


@pytest.mark.parametrize("name", ["6.1 42", "6.1\n42", "6.1\x1b[2J", "\u0416", "a" * 201, "a\\..\\b"])
def test_names_that_no_kernel_has_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, {f"any/xfs/unassigned/{name}.txt": "xfs/001\n"})
    with pytest.raises(UserError, match="is the name of neither a kernel nor a list") as raised:
        read_tree(tmp_path)
    assert raised.value.message.isprintable()


def test_what_is_hidden_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {LIST: "xfs/001\n", "..6.1/xfs/unassigned/all.txt": "nonsense\n"})
    assert list(read_tree(tmp_path).tree.lists) == [PurePosixPath(LIST)]


def test_what_is_no_tree_is_told_what_one_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("xfs/001\n")
    write(tmp_path / "linux", {"Documentation/filesystems/xfs/x.txt": "text\n", "MAINTAINERS": "x\n"})
    for place in ("file", "nowhere", "linux"):
        with pytest.raises(UserError) as raised:
            read_trees(tmp_path / place)
        assert "6.1.42/xfs/unassigned/xfs_crc.txt" in (raised.value.hint or "")


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FSTESTS)
    for limit, value in (("MAX_FILES", 3), ("MAX_DIRECTORIES", 4), ("MAX_TOTAL", 100)):
        with monkeypatch.context() as small:
            small.setattr(reading, limit, value)
            with pytest.raises(UserError, match=r"more (than|files)"):
                read_tree(tmp_path)
    deep = tmp_path / "/".join(map(str, range(12)))
    deep.mkdir(parents=True)
    assert read_tree(tmp_path).tree.lists


names = st.text(st.sampled_from("a.1-\\\n\x1b\u00e9"), min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(names, min_size=3, max_size=3),
    st.binary(max_size=40),
    st.text(st.sampled_from("a./1"), min_size=1, max_size=9),
)
def test_any_tree_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], data: bytes, target: str
) -> None:
    top = tmp_path_factory.mktemp("tree")
    place = top / parts[0] / parts[1] / "unassigned"
    place.mkdir(parents=True)
    (place / f"{parts[2]}.txt").write_bytes(data)
    (top / "a link").symlink_to(target)
    (place / "l.txt").symlink_to(target)
    refused = ""
    try:
        tree = read_tree(top).tree
    except UserError as error:
        refused = error.message
    else:
        assert all(path.parts and ".." not in path.parts for path in (*tree.lists, *tree.links))
        assert all(tree.resolved(path) is not None for path in tree.links)
    assert refused.isprintable()
