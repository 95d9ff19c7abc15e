from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.expunges.union import union

tests = st.sampled_from(["generic/001", "generic/002", "generic/010", "xfs/001", "xfs/002"])
notes = st.sampled_from(["", " # F:1/3", " # F:1/4", "  #  hangs"])
lines = st.one_of(st.builds("{}{}".format, tests, notes), st.sampled_from(["# one", "# two", "#", ""]))
lists = st.lists(lines, max_size=8).map(lambda each: "".join(f"{line}\n" for line in each))


def keys(text: str) -> Counter[str]:
    return Counter(key for line in text.splitlines() if (key := " ".join(line.split())).strip("# "))


@given(lists, lists)
def test_nothing_is_lost_and_nothing_is_made_up(there: str, more: str) -> None:
    both = union(there, more)
    assert keys(both).keys() == keys(there).keys() | keys(more).keys()
    if there:
        assert keys(both) == keys(there) + Counter(keys(more).keys() - keys(there).keys())
    rest = iter(both.splitlines())
    assert all(line in rest for line in there.splitlines())  # in its order


@given(lists, lists)
def test_the_same_again_changes_nothing(there: str, more: str) -> None:
    both = union(there, more)
    assert union(both, more) == both
    assert union(both, there) == both
    assert union(both, both) == both


@given(lists)
def test_nothing_and_a_list_are_the_list(text: str) -> None:
    assert union("", text) == text
    assert union(text, "") == text


@pytest.mark.parametrize(
    ("there", "more", "both"),
    [
        ("xfs/001\nxfs/003\n", "xfs/002 # F:1/2\n", "xfs/001\nxfs/002 # F:1/2\nxfs/003\n"),
        ("xfs/001 # a\nxfs/003\n", "xfs/001 # b\n", "xfs/001 # a\nxfs/001 # b\nxfs/003\n"),
        ("# of 3\nxfs/003\n", "# of 2\nxfs/002\n", "# of 2\nxfs/002\n# of 3\nxfs/003\n"),
        ("xfs/003\n", "# of 3\nxfs/003\n# end\n", "# of 3\nxfs/003\n# end\n"),
        ("xfs/003\n", "xfs/004\nxfs/001\n", "xfs/001\nxfs/003\nxfs/004\n"),
        ("xfs/001  #  a\n", "xfs/001 # a\n", "xfs/001  #  a\n"),
    ],
)
def test_a_new_line_has_its_place(there: str, more: str, both: str) -> None:
    assert union(there, more) == both
