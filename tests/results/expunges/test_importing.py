"""What a baseline has of other people's lists, and what git makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.expunges import writing
from kdevops.results.expunges.importing import import_trees
from kdevops.results.expunges.writing import Written
from tests.results.expunges.trees import BLKTESTS, FSTESTS, LINKS, read, write


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "tree", FSTESTS, LINKS)


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    (path := tmp_path / "baselines").mkdir()
    return path


def lists(baseline: Path, suite: str = "fstests") -> dict[str, str]:
    return read(baseline / "expunges" / suite)


def test_lists_and_links_are_there_as_they_were(tree: Path, baseline: Path) -> None:
    (done,) = import_trees(tree, baseline)
    assert done.written == Written(len(FSTESTS), len(LINKS), 0)
    assert lists(baseline) == read(tree)


def test_the_same_again_changes_nothing(tree: Path, baseline: Path) -> None:
    import_trees(tree, baseline)
    before = {path: path.lstat().st_mtime_ns for path in baseline.rglob("*")}
    (done,) = import_trees(tree, baseline)
    assert not done.written
    assert {path: path.lstat().st_mtime_ns for path in baseline.rglob("*")} == before


def test_lines_of_several_trees_come_together(tree: Path, baseline: Path, tmp_path: Path) -> None:
    import_trees(tree, baseline)
    other = {"6.1.42/xfs/unassigned/xfs_crc.txt": "generic/475 # F:2/9\nxfs/168 # Hung:1/6\nxfs/200\n"}
    (done,) = import_trees(write(tmp_path / "other", other), baseline)
    assert done.written == Written(0, 0, 1)
    assert lists(baseline)["6.1.42/xfs/unassigned/xfs_crc.txt"] == (
        "# above\ngeneric/475 # F:1/11 https://bugs.example/1\ngeneric/475 # hangs sometimes\ngeneric/475 # F:2/9\n"
        "xfs/168 # Hung:1/6\nxfs/200\n"
    )
    assert {name: text for name, text in lists(baseline).items() if name not in other} == {
        name: text for name, text in read(tree).items() if name not in other
    }


def test_lists_for_what_was_a_link_leave_its_target_alone(tree: Path, baseline: Path, tmp_path: Path) -> None:
    import_trees(tree, baseline)
    other = write(tmp_path / "other", {"6.1.72/xfs/unassigned/xfs_crc.txt": "xfs/300\n"})
    import_trees(other, baseline)
    found = lists(baseline)
    assert found["6.1.42/xfs/unassigned/xfs_crc.txt"] == FSTESTS["6.1.42/xfs/unassigned/xfs_crc.txt"]
    assert found["6.1.72/xfs/unassigned/xfs_crc.txt"] == FSTESTS["6.1.42/xfs/unassigned/xfs_crc.txt"] + "xfs/300\n"
    assert found["6.1.72/xfs/unassigned/P0/all.txt"] == "xfs/001\n"
    assert found["6.1.72+"] == "-> 6.1.72"


def test_blktests_beside(baseline: Path, tmp_path: Path) -> None:
    import_trees(write(tmp_path / "tree", BLKTESTS), baseline)
    assert lists(baseline, "blktests") == BLKTESTS


@pytest.mark.parametrize("bad", ["<<<<<<< HEAD\n", "xfs/1\n"])
def test_nothing_is_written_if_one_list_is_wrong(tree: Path, baseline: Path, bad: str) -> None:
    write(tree, {"any/zzz.txt": bad})
    with pytest.raises(UserError, match=r"zzz.txt:1: "):
        import_trees(tree, baseline)
    assert read(baseline) == {}


def test_what_is_wrong_in_the_baseline_is_told_before_anything_is_written(tree: Path, baseline: Path) -> None:
    import_trees(tree, baseline)
    place = baseline / "expunges/fstests"
    write(place, {"any/large-disk.txt": ">>>>>>> theirs\n"})
    write(tree, {"any/more.txt": "xfs/001\n"})
    with pytest.raises(UserError, match=r"large-disk.txt:1: an unresolved git conflict"):
        import_trees(tree, baseline)
    assert "any/more.txt" not in lists(baseline)


def test_a_baseline_is_not_led_out_of_itself(tree: Path, baseline: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    write(baseline / "expunges/fstests", {"any/x.txt": ""}, {"6.1.42": str(tmp_path / "outside")})
    with pytest.raises(UserError, match="leads out of"):
        import_trees(tree, baseline)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_baseline_is_not_imported_into_itself(tree: Path, baseline: Path) -> None:
    import_trees(tree, baseline)
    for place in (baseline, baseline / "expunges", baseline / "expunges/fstests"):
        with pytest.raises(UserError, match="is a part of the baseline"):
            import_trees(place, baseline)


def test_a_full_disk_leaves_what_was_there(tree: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    import_trees(tree, baseline)
    before = lists(baseline)
    write(tree, {"any/more.txt": "xfs/001\n", "any/large-disk.txt": "xfs/002\n"})
    monkeypatch.setattr(writing, "sync_filesystem", full)
    with pytest.raises(InfrastructureError, match="No space left on device"):
        import_trees(tree, baseline)
    assert lists(baseline) == before


def test_a_list_does_not_grow_beyond_what_can_be_read(baseline: Path, tmp_path: Path) -> None:
    name = "6.1.42/xfs/unassigned/all.txt"
    halves = ["".join(f"generic/{number % 1000:03}{half}{number}\n" for number in range(40_000)) for half in "ab"]
    for half, text in zip("ab", halves, strict=True):
        write(tmp_path / half, {name: text})
    import_trees(tmp_path / "a", baseline)
    with pytest.raises(UserError, match=r"all.txt would be larger than 1 MiB"):
        import_trees(tmp_path / "b", baseline)
    assert lists(baseline) == {name: halves[0]}


def test_what_a_killed_import_has_left_is_finished_by_the_next(
    tree: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, left = Path.replace, iter(range(3))

    def killed(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(self, target)

    write(baseline / "expunges/fstests/.expunges-abc", {"0": "xfs/001\n"})
    with monkeypatch.context() as kill:
        kill.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            import_trees(tree, baseline)
    assert len(lists(baseline)) == 3
    import_trees(tree, baseline)
    assert lists(baseline) == read(tree)


def git(place: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", place, *who, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("common", [True, False], ids=["with a common list", "of new lists"])
def test_git_merges_the_imports_of_two_people(tree: Path, baseline: Path, tmp_path: Path, *, common: bool) -> None:
    name = "6.1.42/xfs/unassigned/xfs_crc.txt"
    one = write(tmp_path / "one", {name: "generic/475 # F:5/6\nxfs/200 # one\n", "6.6/xfs/diff/all.txt": "xfs/001\n"})
    other = write(tmp_path / "other", {name: "generic/475 # F:7/8\nxfs/200 # other\n"}, {"6.1.43": "6.1.42"})
    git(baseline, "init", "--quiet", "--initial-branch=main")
    git(baseline, "commit", "--quiet", "--allow-empty", "--message=begin")
    if common:
        import_trees(tree, baseline)
        git(baseline, "add", "--all")
        git(baseline, "commit", "--quiet", "--message=common")
    for branch, theirs in (("one", one), ("other", other)):
        git(baseline, "switch", "--quiet", "--create", branch, "main")
        import_trees(theirs, baseline)
        git(baseline, "add", "--all")
        git(baseline, "commit", "--quiet", f"--message={branch}")
    git(baseline, "merge", "--quiet", "--no-edit", "one")
    merged = lists(baseline)
    lines = FSTESTS[name].splitlines() if common else []
    lines += ["generic/475 # F:5/6", "generic/475 # F:7/8", "xfs/200 # one", "xfs/200 # other"]
    assert set(merged[name].splitlines()) == set(lines)  # git may leave a line twice, which says no more than once
    assert (merged["6.6/xfs/diff/all.txt"], merged["6.1.43"]) == ("xfs/001\n", "-> 6.1.42")
    assert not any(import_trees(theirs, baseline)[0].written for theirs in (one, other))
