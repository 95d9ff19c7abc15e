from hypothesis import given
from hypothesis import strategies as st

from kdevops.suites.fstests.expunge_sections import Common, load_sections
from kdevops.suites.fstests.profiles import load_profiles


def test_the_table_speaks_of_profiles_that_there_are_and_of_names_that_none_has() -> None:
    table, profiles = load_sections(), load_profiles()
    assert table.sections.keys() <= profiles.keys()
    older = {name for names in table.sections.values() for name in names}
    assert older >= {"xfs", "xfs_logdev", "xfs_rtdev", "xfs_rtlogdev", "xfs_realtimedev", "btrfs_noraid56"}
    assert not older & (profiles.keys() | {"all", "progs"})
    assert table.names("xfs_crc") == ("xfs_crc", "xfs")
    assert table.names("mine") == ("mine",)
    for each in table.common.values():
        assert each.profiles == "all" or set(each.profiles) <= profiles.keys()


@given(st.none() | st.integers(0, 1 << 40), st.sampled_from(["a", "b"]))
def test_a_list_for_small_disks_is_for_no_disk_that_is_large_or_unknown(size: int | None, profile: str) -> None:
    small = Common(("a",), disks_below=1 << 30).applies(profile, size)
    assert small == (profile == "a" and size is not None and size < 1 << 30)
    assert Common("all").applies(profile, size)
