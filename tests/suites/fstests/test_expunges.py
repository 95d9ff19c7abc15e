import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.expunges.lists import MAX_BYTES, MAX_REASON, Expunge, Listed
from kdevops.results.rate import rate_of
from kdevops.suites.fstests import expunges
from kdevops.suites.fstests.expunges import Expunges, told

FILE = Path("all.txt")


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def known(directory: Path, release: str = "6.1.11", section: str = "xfs_crc", **more: Any) -> dict[str, str]:
    """Tests and reasons; where no reason is given, the file below the directory."""
    found = Expunges([directory]).known(release, "xfs", section, **more)
    return {
        test: "; ".join(line.note or str(line.file.relative_to(directory)) for line in each.lines)
        for test, each in found.items()
    }


def test_every_category_and_priority_of_the_section_and_the_common_lists(tmp_path: Path) -> None:
    lists = {
        "diff/xfs_crc.txt",
        "unassigned/all.txt",
        "unassigned/P0/progs.txt",
        "assigned/xfs_crc.txt",
        "assigned/P5/all.txt",
    }
    others = {"unassigned/xfs_nocrc.txt", "wontfix/all.txt", "assigned/P6/all.txt", "all.txt"}
    for number, name in enumerate(sorted(lists | others)):
        write(tmp_path, f"6.1.11/xfs/{name}", f"generic/{number:03}\n")
    write(tmp_path, "6.1.11/btrfs/unassigned/all.txt", "generic/999\n")
    write(tmp_path, "6.1/xfs/unassigned/all.txt", "generic/998\n")
    assert set(known(tmp_path).values()) == {f"6.1.11/xfs/{name}" for name in lists}


def test_what_is_for_any_kernel_and_for_a_distribution(tmp_path: Path) -> None:
    write(tmp_path, "any/xfs/unassigned/all.txt", "generic/001\n")
    write(tmp_path, "any/xfs/over-10s.txt", "generic/002\n")
    write(tmp_path, "fedora/28/xfs/unassigned/P1/all.txt", "generic/003\n")
    assert set(known(tmp_path)) == {"generic/001"}
    assert set(known(tmp_path, os_release=("fedora", "28"))) == {"generic/001", "generic/003"}


def test_a_release_with_a_plus_falls_back_list_by_list(tmp_path: Path) -> None:
    write(tmp_path, "6.1.11/xfs/unassigned/all.txt", "generic/001\n")
    write(tmp_path, "6.1.11/xfs/unassigned/xfs_crc.txt", "generic/002\n")
    write(tmp_path, "6.1.11+/xfs/unassigned/all.txt", "generic/003\n")
    assert set(known(tmp_path, "6.1.11+")) == {"generic/002", "generic/003"}
    assert set(known(tmp_path, "6.1.11")) == {"generic/001", "generic/002"}


UPSTREAM = {
    "6.1.0-rc6/xfs/unassigned/all.txt": "xfs/001\n",
    "6.1.42/xfs/unassigned/all.txt": "xfs/002\n",
    "6.1.42/xfs/assigned/xfs_nocrc.txt": "xfs/003 # F:1/3\n",
    "6.11.0-rc1/xfs/unassigned/xfs_reflink.txt": "xfs/004\n",
    "6.1.0-rc5-next-20221118/xfs/unassigned/all.txt": "xfs/005\n",
    "6.6.0-rc5-large-block/btrfs/unassigned/all.txt": "xfs/006\n",
    "any/xfs/unassigned/all.txt": "xfs/007\n",
}


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    for name, text in UPSTREAM.items():
        write(tmp_path, name, text)
    return tmp_path


@pytest.mark.parametrize(
    ("release", "section", "tests", "other"),
    [
        ("6.1.192", "xfs_crc", "002 007", "6.1.42"),
        ("6.1.192", "xfs_nocrc", "003 002 007", "6.1.42"),
        ("6.1.119-rc1", "xfs_crc", "002 007", "6.1.42"),
        ("6.1.42-kdevops", "xfs_crc", "002 007", ""),
        ("6.1.42-g1234abcd", "xfs_crc", "002 007", ""),
        ("6.1.41", "xfs_crc", "001 007", "6.1.0-rc6"),
        ("6.1.0-rc5", "xfs_crc", "007", ""),
        ("6.1.0-rc5-next-20221118+", "xfs_crc", "005 007", ""),
        ("6.12.30", "xfs_reflink", "004 007", "6.11.0-rc1"),
        ("6.12.30", "xfs_crc", "002 007", "6.1.42"),  # the list of 6.11.0-rc1 says nothing of this section
        ("6.11.0", "xfs_reflink", "004 007", "6.11.0-rc1"),
        ("5.15.0", "xfs_crc", "007", ""),
        ("gibberish", "xfs_crc", "007", ""),
    ],
)
def test_the_nearest_release_with_a_list_that_applies(
    upstream: Path, release: str, section: str, tests: str, other: str
) -> None:
    found = Expunges([upstream]).known(release, "xfs", section)
    assert list(found) == [f"xfs/{number}" for number in tests.split()]
    assert {each.other for each in found.values() if each.of != "any"} in ({other}, set())
    assert found["xfs/007"].other == ""
    for each in found.values():
        assert each.reason.endswith(f" (listed for {other})") == (each.of != "any" and bool(other))


def test_a_distribution_that_has_lists_needs_no_others(upstream: Path) -> None:
    write(upstream, "debian/12/xfs/unassigned/all.txt", "xfs/008\n")
    write(upstream, "debian/13/btrfs/unassigned/all.txt", "xfs/009\n")
    assert set(known(upstream, "6.1.192", os_release=("debian", "12"))) == {"xfs/008", "xfs/007"}
    assert set(known(upstream, "6.1.192", os_release=("debian", "13"))) == {"xfs/002", "xfs/007"}


def test_all_that_is_said_of_a_test_is_kept_the_nearest_first(tmp_path: Path) -> None:
    write(tmp_path, "6.1.11/xfs/unassigned/all.txt", "xfs/001 # all F:1/7\nxfs/002\nxfs/003\nxfs/001 # again\n")
    write(tmp_path, "6.1.11/xfs/assigned/xfs_crc.txt", "xfs/001 # F:1/5 section\nxfs/002 # section\nxfs/003\n")
    write(tmp_path, "any/xfs/unassigned/all.txt", "xfs/001 # any\nxfs/003 # any\nxfs/002 # section\n")
    found = {test: each.reason for test, each in Expunges([tmp_path]).known("6.1.11", "xfs", "xfs_crc").items()}
    assert found == {"xfs/001": "F:1/5 section; all F:1/7; again; any", "xfs/002": "section", "xfs/003": "any"}
    assert rate_of(found["xfs/001"]) == (1, 5)


def test_a_test_without_a_note_has_its_place_for_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path, "any/xfs/diff/all.txt", "\nxfs/001\n")
    assert Expunges([tmp_path]).known("6.1", "xfs", "x")["xfs/001"].reason == f"listed in {path}:2"
    assert Expunge("xfs/001", path, 2, "F:1/3").reason == "F:1/3"


@given(st.lists(st.text("ab ;", min_size=1, max_size=400), min_size=1, max_size=12), st.sampled_from(["", "6.1.42"]))
def test_a_reason_is_never_empty_bounded_and_says_for_which_release(notes: list[str], other: str) -> None:
    reason = Listed(tuple(Expunge("xfs/001", FILE, 1, note) for note in notes), "6.1.42", other).reason
    assert reason.startswith(notes[0][:100])
    assert len(reason) <= MAX_REASON + 30
    assert reason.endswith("(listed for 6.1.42)") == bool(other)


def test_several_trees_the_first_goes_before(tmp_path: Path) -> None:
    write(tmp_path / "mine", "any/xfs/diff/all.txt", "xfs/001 # mine\n")
    write(tmp_path / "theirs", "any/xfs/diff/all.txt", "xfs/001 # theirs\nxfs/002 # theirs\n")
    found = Expunges([tmp_path / "mine", tmp_path / "theirs"]).known("6.1", "xfs", "xfs_crc")
    assert [each.reason for each in found.values()] == ["mine; theirs", "theirs"]


@pytest.mark.parametrize(
    ("section", "fs", "old"),
    [
        ("xfs_crc", "xfs", "xfs"),
        ("xfs_crc_logdev", "xfs", "xfs_logdev"),
        ("xfs_crc_logdev_rtdev", "xfs", "xfs_realtimedev"),
        ("xfs_crc_rtdev", "xfs", "xfs_rtdev"),
        ("btrfs_holes", "btrfs", "btrfs_raid56"),
    ],
)
def test_lists_with_an_older_name_of_a_section(tmp_path: Path, section: str, fs: str, old: str) -> None:
    write(tmp_path, f"6.1.11/{fs}/unassigned/{old}.txt", f"{fs}/001 # old\n{fs}/002 # old\n")
    write(tmp_path, f"6.1.11/{fs}/unassigned/{section}.txt", f"{fs}/002 # new\n")
    found = Expunges([tmp_path]).known("6.1.192", fs, section)
    assert {test: each.reason for test, each in found.items()} == {
        f"{fs}/001": "old (listed for 6.1.11)",
        f"{fs}/002": "new; old (listed for 6.1.11)",
    }
    assert next(iter(found)) == f"{fs}/002"
    assert not Expunges([tmp_path]).known("6.1.192", fs, "another")


def test_what_needs_a_large_disk_is_known_to_fail_on_a_small_one(tmp_path: Path) -> None:
    write(tmp_path, "any/large-disk.txt", "generic/038\n")
    write(tmp_path, "any/xfs/large-disk.txt", "xfs/104 # takes 35s\n")
    write(tmp_path, "any/btrfs/large-disk.txt", "btrfs/001\n")
    write(tmp_path, "any/over-10s.txt", "generic/003\n")
    write(tmp_path, "any/xfs/reqs-xfsprogs-5.10.txt", "xfs/082\n")
    assert set(known(tmp_path, smallest_disk=5 << 30)) == {"generic/038", "xfs/104"}
    assert not known(tmp_path, smallest_disk=10 << 30)
    assert not known(tmp_path)


def test_lists_in_any_for_one_profile(tmp_path: Path) -> None:
    write(tmp_path, "any/ext4/ext4_advanced_features.txt", "ext4/004 # dump\n")
    lists = Expunges([tmp_path])
    assert set(lists.known("6.1.11", "ext4", "ext4_advanced_features")) == {"ext4/004"}
    assert not lists.known("6.1.11", "ext4", "ext4_4k")


def test_every_list_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "6.1.11/xfs/unassigned/all.txt", "xfs/001\n")
    read_lists = list[Path]()
    monkeypatch.setattr(expunges, "read", lambda path: (read_lists.append(path), path.read_text())[1])
    lists = Expunges([tmp_path])
    for patch in range(11, 31):
        assert set(lists.known(f"6.1.{patch}", "xfs", "xfs_crc")) == {"xfs/001"}
    assert len(read_lists) == 1


def test_how_many_are_known_and_from_where_is_told() -> None:
    def of(*names: str) -> list[Listed]:
        return [Listed((Expunge("xfs/001", FILE, 1),), name) for name in names]

    assert told("6.1.192", {}) == "0 known failures found for 6.1.192"
    assert told("6.1.192", {"xfs_crc": [], "xfs_nocrc": []}) == "0 known failures found for 6.1.192"
    assert told("6.1.192", {"a": of("6.1.42")}) == "1 known failure, from the lists of 6.1.42"
    assert (
        told("6.1.192", {"a": of("6.1.42", "6.1.42"), "b": of("6.1.42")})
        == "3 known failures, from the lists of 6.1.42"
    )
    assert (
        told("6.1.192", {"a": of("any", "6.1.42", "6.1.42"), "b": []})
        == "3 known failures, from the lists of 6.1.42 (2), any (1); none for b"
    )


def test_aliases_are_links_inside_the_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write(tree, "6.1.11/xfs/unassigned/all.txt", "generic/001\n")
    (tree / "6.1.38").symlink_to("6.1.11")
    (tree / "6.1.39").symlink_to("6.1.38")
    (tree / "6.1.40").symlink_to("6.1.40")
    (tmp_path / "alias").symlink_to(tree)
    assert set(known(tree, "6.1.39+")) == {"generic/001"}
    assert set(known(tmp_path / "alias", "6.1.38")) == {"generic/001"}
    assert known(tree, "6.1.40") == {"generic/001": "6.1.39/xfs/unassigned/all.txt"}  # an alias of itself has nothing


@pytest.mark.parametrize("release", ["6.1.11", "6.1.12", "6.1.192"])
def test_nothing_leads_out_of_the_tree(tmp_path: Path, release: str) -> None:
    write(tmp_path / "outside", "xfs/unassigned/all.txt", "generic/001\n")
    tree = tmp_path / "tree"
    (tree / "6.1.12/xfs/unassigned").mkdir(parents=True)
    (tree / "6.1.11").symlink_to(tmp_path / "outside")
    (tree / "6.1.12/xfs/unassigned/all.txt").symlink_to(tmp_path / "outside/xfs/unassigned/all.txt")
    with pytest.raises(UserError, match="leads out of"):
        known(tree, release)
    with pytest.raises(UserError, match="leads out of"):
        known(tree, "x", os_release=("..", "outside"))
    assert not known(tree, "../outside")


def test_what_cannot_be_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a directory of expunge lists"):
        known(tmp_path / "nowhere")
    path = write(tmp_path, "any/xfs/diff/all.txt", "#" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        known(tmp_path)
    path.write_bytes(b"xfs/001 # \xff\n\xff\n")
    with pytest.raises(UserError, match=r"all.txt:2: not a line"):
        known(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"all.txt is not a regular file"):
        known(tmp_path)


@given(st.text(max_size=12))
def test_any_release_is_looked_for_and_only_in_the_tree(tmp_path_factory: pytest.TempPathFactory, release: str) -> None:
    tree = tmp_path_factory.getbasetemp() / "expunges"
    write(tree, "any/xfs/diff/all.txt", "xfs/001\n")
    assert set(known(tree, release)) == {"xfs/001"}
