from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.expunges.tree import Tree, merged


def tree(lists: dict[str, str], links: dict[str, str] | None = None) -> Tree:
    return Tree(
        {PurePosixPath(path): text for path, text in lists.items()},
        {PurePosixPath(path): target for path, target in (links or {}).items()},
    )


def seen(of: Tree) -> set[tuple[str, str]]:
    """Every line at every path, links followed."""
    places = {*of.lists, *(link / below for link in of.links for below in of.at(link))}
    return {(str(path), line) for path in places for text in of.at(path).values() for line in text.splitlines()}


def test_links_are_followed() -> None:
    of = tree({"a/x.txt": "xfs/001\n", "a/d/y.txt": "xfs/002\n"}, {"b": "a", "c": "b", "a/z.txt": "x.txt", "o": "c/d"})
    assert of.resolved(PurePosixPath("c/d/y.txt")) == PurePosixPath("a/d/y.txt")
    assert {str(path): text for path, text in of.at(PurePosixPath("c")).items()} == {
        "x.txt": "xfs/001\n",
        "z.txt": "xfs/001\n",
        "d/y.txt": "xfs/002\n",
    }
    assert of.at(PurePosixPath("o")) == {PurePosixPath("y.txt"): "xfs/002\n"}
    assert (of.entries, of.notes) == (2, 0)


@pytest.mark.parametrize("links", [{"a": "b", "b": "a"}, {"a": "a"}, {"a": "../b"}, {"a": "../../etc"}, {"a": ".."}])
def test_links_in_a_circle_or_out_lead_nowhere(links: dict[str, str]) -> None:
    of = tree({}, links)
    assert of.resolved(PurePosixPath("a/x.txt")) is None
    assert of.at(PurePosixPath("a")) == {}


def test_circles_through_directories_end() -> None:
    of = tree({"a/x.txt": "xfs/001\n"}, {"a/b": "../c", "c/d": "../a"})
    assert PurePosixPath("x.txt") in of.at(PurePosixPath("a"))


def test_a_link_stays_one_if_both_say_the_same() -> None:
    one = tree({"a/x.txt": "xfs/001\n"}, {"b": "a"})
    assert merged(one, one) == one
    assert merged(one, tree({"a/x.txt": "xfs/002\n"}, {"b": "a"})) == tree(
        {"a/x.txt": "xfs/001\nxfs/002\n"}, {"b": "a"}
    )
    assert merged(Tree(), one) == one
    assert merged(one, Tree()) == one


@pytest.mark.parametrize(
    ("there", "more"),
    [
        (tree({"a/x.txt": "xfs/001\n"}, {"b": "a"}), tree({"b/x.txt": "xfs/002\n"})),
        (tree({"b/x.txt": "xfs/001\n"}), tree({"a/x.txt": "xfs/002\n"}, {"b": "a"})),
        (tree({"a/x.txt": "xfs/001\n", "c/x.txt": ""}, {"b": "a"}), tree({"c/x.txt": "xfs/002\n"}, {"b": "c"})),
    ],
)
def test_otherwise_its_place_gets_the_lines_of_both(there: Tree, more: Tree) -> None:
    both = merged(there, more)
    assert both.links == {}
    assert both.lists[PurePosixPath("b/x.txt")] == "xfs/001\nxfs/002\n"
    assert both.lists[PurePosixPath("a/x.txt")] == (there.lists | more.lists)[PurePosixPath("a/x.txt")]


kernels = st.sampled_from(["a", "b", "c"])
lines = st.lists(st.sampled_from(["xfs/001\n", "xfs/002 # F:1/2\n", "xfs/003\n"]), unique=True).map("".join)
texts = st.dictionaries(st.builds("{}/{}.txt".format, kernels, st.sampled_from("xy")), lines, max_size=4)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    lists = draw(texts)
    real = sorted({name[0] for name in lists})
    free = [name for name in "abcd" if name not in real]
    names = draw(st.lists(st.sampled_from(free), unique=True, max_size=2)) if real and free else []
    return tree(lists, {name: draw(st.sampled_from(real)) for name in names})


@given(trees(), trees())
def test_every_kernel_keeps_what_either_said_of_it(one: Tree, other: Tree) -> None:
    both = merged(one, other)
    assert seen(both) >= seen(one) | seen(other)
    assert not any(link in path.parents for link in both.links for path in both.lists)


@given(trees(), trees())
def test_the_same_again_changes_nothing(one: Tree, other: Tree) -> None:
    both = merged(one, other)
    assert merged(both, other) == both
    assert seen(merged(both, one)) == seen(both)
