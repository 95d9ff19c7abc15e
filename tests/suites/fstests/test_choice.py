from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.fstests import Fstests
from kdevops.results.model import TestId
from kdevops.suites.fstests.catalogue import Catalogue
from kdevops.suites.fstests.choice import choose, plan

CATALOGUE = Catalogue(
    {
        "btrfs/001": ("auto", "quick"),
        "ext4/001": ("dangerous",),
        "generic/001": ("auto", "quick", "rw"),
        "generic/002": ("auto", "dangerous"),
        "generic/003": ("soak",),
        "overlay/001": ("auto", "quick"),
        "selftest/001": ("selftest",),
        "xfs/001": ("auto", "quick", "rw"),
        "xfs/002": ("auto",),
    }
)


def fstests(**fields: Any) -> Fstests:
    return Fstests.model_validate({"profiles": ["xfs_crc"], **fields})


@pytest.mark.parametrize(
    ("fields", "tests"),
    [
        ({}, "generic/001 generic/002 xfs/001 xfs/002"),
        ({"groups": ["quick"]}, "generic/001 xfs/001"),
        ({"groups": ["xfs/rw", "soak"]}, "generic/003 xfs/001"),
        ({"groups": ["all"], "exclude_groups": ["auto"]}, "generic/003"),
        ({"tests": ["xfs/*"]}, "xfs/001 xfs/002"),
        ({"tests": ["xfs/002", "generic/00[13]", "btrfs/001"]}, "generic/001 generic/003 xfs/002"),
        ({"tests": ["generic/003"], "groups": ["quick"]}, "generic/001 generic/003 xfs/001"),
        ({"exclude": ["generic/*", "xfs/002"]}, "xfs/001"),
        ({"exclude_groups": ["xfs/rw", "dangerous"]}, "generic/001 xfs/002"),
        ({"exclude_groups": ["btrfs/quick"]}, "generic/001 generic/002 xfs/001 xfs/002"),
        ({"tests": ["generic/001"], "exclude_groups": ["dangerous"]}, "generic/001"),
        ({"start_after": "generic/002"}, "xfs/001 xfs/002"),
        ({"start_after": "ext4/001"}, "generic/001 generic/002 xfs/001 xfs/002"),
        ({"tests": ["selftest/001"]}, "selftest/001"),
        ({"groups": ["selftest/selftest"]}, "selftest/001"),
        ({"count": 3, "groups": ["soak"]}, "generic/003"),
    ],
)
def test_what_is_chosen_on_xfs(fields: dict[str, Any], tests: str) -> None:
    assert choose(CATALOGUE, fstests(**fields), "xfs") == tuple(tests.split())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tests": ["generic/004"]}, r"fstests\.tests: this fstests has no test generic/004; did you mean generic/00"),
        ({"tests": ["nothing/*"]}, r"fstests\.tests: this fstests has no test nothing/\*"),
        ({"exclude": ["genric/001"]}, r"fstests\.exclude: .* has no test genric/001; did you mean generic/001"),
        ({"groups": ["quik"]}, r"fstests\.groups: this fstests has no group quik; did you mean quick"),
        ({"groups": ["xfs/quik"]}, r"fstests\.groups: this fstests has no group xfs/quik; did you mean xfs/quick"),
        ({"exclude_groups": ["danger"]}, r"fstests\.exclude_groups: .* no group danger; did you mean dangerous"),
        ({"start_after": "xfs/0*"}, r"fstests\.start_after: this fstests has no test xfs/0\*"),
        ({"tests": ["btrfs/*"]}, r"nothing to run on xfs: btrfs/\* has no test for it"),
        ({"groups": ["selftest"]}, "nothing to run on xfs: group selftest has no test for it"),
        ({"groups": ["soak"], "exclude": ["generic/003"]}, "nothing to run on xfs: generic/003 excludes every test"),
        ({"start_after": "xfs/002"}, r"nothing to run on xfs: no chosen test comes after start_after \(xfs/002\)"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose(CATALOGUE, fstests(**fields), "xfs")


names = st.lists(st.sampled_from([*CATALOGUE.tests, "generic/*", "xfs/00?"]), max_size=3)
groups = st.lists(st.sampled_from(["auto", "quick", "rw", "xfs/rw", "all", "dangerous"]), max_size=2)


@given(names, names, groups, groups, st.sampled_from(["xfs", "ext4", "btrfs", "tmpfs"]))
def test_a_choice_is_sorted_explicit_and_of_the_file_system(
    tests: list[str], exclude: list[str], wanted: list[str], unwanted: list[str], fs: str
) -> None:
    lab = fstests(tests=tests, exclude=exclude, groups=wanted, exclude_groups=unwanted)
    try:
        chosen = choose(CATALOGUE, lab, fs)
    except UserError:
        return
    assert chosen
    assert list(chosen) == sorted(set(chosen) & set(CATALOGUE.asked_for(fs)))
    assert not set(chosen) & set(exclude)


def test_the_plan_has_every_test_as_often_as_the_lab_says() -> None:
    lab = fstests(count=2, tests=["generic/001", "xfs/002"], timeout=90)
    first, second, *rest = plan(CATALOGUE, lab, "xfs_crc", "xfs", {"generic/001": "F:1/11", "generic/999": "gone"})
    assert (first.id, second.id) == (
        TestId("fstests", "xfs_crc", "generic/001"),
        TestId("fstests", "xfs_crc", "generic/001#2"),
    )
    assert first.groups == second.groups == ("auto", "quick", "rw")
    assert first.known == second.known == "F:1/11"
    assert [test.id.name for test in rest] == ["xfs/002", "xfs/002#2"]
    assert {(test.timeout, test.known) for test in rest} == {(90.0, "")}


def test_a_lab_may_name_every_group_that_a_tree_may_have() -> None:
    assert fstests(groups=["raid-stripe-tree", "btrfs/raid-stripe-tree"]).groups
