from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.rate import counts_of, rate_of
from kdevops.suites.fstests.expunges import MAX_BYTES, Expunge, load, parse

FILE = Path("all.txt")


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def known(
    directory: Path, release: str = "6.1.11", section: str = "xfs_crc", **more: tuple[str, str]
) -> dict[str, str]:
    """Tests and reasons; where no reason is given, the file below the directory."""
    found = load([directory], release, "xfs", section, **more)  # type: ignore[arg-type]
    return {test: each.note or str(each.file.relative_to(directory)) for test, each in found.items()}


@pytest.mark.parametrize(
    ("line", "test", "note"),
    [
        ("generic/455", "generic/455", ""),
        ("  generic/455\t\r", "generic/455", ""),
        ("generic/482 # F:1/11", "generic/482", "F:1/11"),
        ("xfs/168 # Hung:1/6 https://bugs.example/1#c2", "xfs/168", "Hung:1/6 https://bugs.example/1#c2"),
        ("ext4/004\t# dump/restore doesn't", "ext4/004", "dump/restore doesn't"),
        ("xfs/191-input-validation", "xfs/191-input-validation", ""),
        ("generic/531 #korg#218226 \x1b[31mx", "generic/531", "korg#218226 x"),
    ],
)
def test_a_line(line: str, test: str, note: str) -> None:
    assert parse(f"# comment\n\n{line}\n", FILE) == [Expunge(test, FILE, 3, note)]


@pytest.mark.parametrize(
    "line", ["generic", "generic/", "generic/1", "../generic/001", "xfs/168 Hung:1/6", "a b", "xfs/*"]
)
def test_what_is_no_line_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(UserError, match=r"^all.txt:2: not a line of an expunge list"):
        parse(f"generic/001\n{line}\n", FILE)


tests = st.from_regex(r"[a-z0-9_]{1,8}/[0-9]{3}[A-Za-z0-9-]{0,8}", fullmatch=True)
notes = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=30)


@given(st.lists(st.tuples(tests, notes), max_size=8))
def test_what_is_written_is_read(entries: list[tuple[str, str]]) -> None:
    text = "".join(f"{test} # {note}\n" for test, note in entries)
    expected = [Expunge(test, FILE, line, note) for line, (test, note) in enumerate(entries, start=1)]
    assert [(each.test, each.line) for each in parse(text, FILE)] == [(each.test, each.line) for each in expected]
    assert all(each.note == other.note.lstrip() for each, other in zip(parse(text, FILE), expected, strict=True))


@given(st.text(alphabet=st.sampled_from("xf/01 #\n\t") | st.characters(), max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        found = parse(text, FILE)
    except UserError as error:
        refused = str(error)
    else:
        refused = ""
        lines = text.split("\n")
        assert all(each.test in lines[each.line - 1] and each.note.isprintable() for each in found)
    assert not refused or refused.startswith("all.txt:")


@pytest.mark.parametrize(
    ("note", "rate"),
    [
        ("F:1/11", (1, 11)),
        ("F:~1/5", (1, 5)),
        ("F: ~1/5 hung task https://bugs.example/1", (1, 5)),
        ("# F:1/30", (1, 30)),
        ("Hung:1/6 https://bugs.example/1", (1, 6)),
        ("Hung task F:1/10", (1, 10)),
        ("remove me once we update F:1/12 test bug", (1, 12)),
        ("failure rate 1/40 seems like a test bug?", (1, 40)),
        ("flaky test - failure rate is about 1/1604 https://bugs.example/1/2", (1, 1604)),
        ("fails on xfs_a failure rate: 1/9 and on xfs_b with a failure rate of failure rate 1/3", (1, 9)),
        ("started hanging after reducing RAM size to 2GB, rate 1/20 - 1/100", (1, 20)),
        ("hung task failure rate ~ 2/30", (2, 30)),
        ("F:1/1", (1, 1)),
        ("", None),
        ("korg#218226", None),
        ("F:0/3", None),
        ("F:4/3", None),
        ("F:1/2/3", None),
        ("AF:1/2", None),
        ("bisected on 1/2", None),
        ("tar -xOJf results/20230725/6.5.0/xfs/506.out.bad", None),
        ("rate https://bugs.example/rate/1/2", None),
        ("F:1/٣", None),
    ],
)
def test_how_often_a_test_fails(note: str, rate: tuple[int, int] | None) -> None:
    assert rate_of(note) == rate


words = st.lists(
    st.sampled_from(["crash", "hung", "task", "korg#218226", "https://b.example/1", "-", "#", "~"]), max_size=4
)
written = st.sampled_from(["F:{}", "F:~{}", "F: ~{}", "Hung:{}", "failure rate {}", "failure rate is about {}"])


@given(words, written, st.integers(1, 10**9 - 1), st.integers(1, 10**9 - 1), words)
def test_a_rate_is_read_wherever_it_stands(
    before: list[str], form: str, some: int, more: int, after: list[str]
) -> None:
    bad, runs = sorted((some, more))
    note = " ".join([*before, form.format(f"{bad}/{runs}"), *after])
    assert rate_of(note) == (bad, runs)
    counts = counts_of(note)
    assert (counts.bad, counts.total) == (bad, runs)
    assert 0 not in counts.counts.values()


@given(st.text(alphabet=st.sampled_from("Ff:~ /0123rate") | st.characters(), max_size=40))
def test_any_note_has_a_rate_of_its_own_or_none(note: str) -> None:
    rate = rate_of(note)
    assert rate is None or (0 < rate[0] <= rate[1] and "/" in note)
    assert counts_of(note).bad >= 1


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
    assert not known(tmp_path, "6.1.12")


def test_the_first_that_says_why_counts(tmp_path: Path) -> None:
    write(tmp_path, "6.1.11/xfs/unassigned/all.txt", "xfs/001 # all\nxfs/002\nxfs/003\n")
    write(tmp_path, "6.1.11/xfs/assigned/xfs_crc.txt", "xfs/001 # section\nxfs/002 # section\nxfs/003\n")
    write(tmp_path, "any/xfs/unassigned/all.txt", "xfs/001 # any\nxfs/003 # any\n")
    assert known(tmp_path) == {"xfs/001": "section", "xfs/002": "section", "xfs/003": "any"}


def test_a_test_without_a_note_has_its_place_for_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path, "any/xfs/diff/all.txt", "\nxfs/001\n")
    assert load([tmp_path], "6.1", "xfs", "x")["xfs/001"].reason == f"listed in {path}:2"
    assert Expunge("xfs/001", path, 2, "F:1/3").reason == "F:1/3"


def test_several_trees_the_first_goes_before(tmp_path: Path) -> None:
    write(tmp_path / "mine", "any/xfs/diff/all.txt", "xfs/001 # mine\n")
    write(tmp_path / "theirs", "any/xfs/diff/all.txt", "xfs/001 # theirs\nxfs/002 # theirs\n")
    found = load([tmp_path / "mine", tmp_path / "theirs"], "6.1", "xfs", "xfs_crc")
    assert [each.note for each in found.values()] == ["mine", "theirs"]


def test_aliases_are_links_inside_the_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write(tree, "6.1.11/xfs/unassigned/all.txt", "generic/001\n")
    (tree / "6.1.38").symlink_to("6.1.11")
    (tree / "6.1.39").symlink_to("6.1.38")
    (tree / "6.1.40").symlink_to("6.1.40")
    (tmp_path / "alias").symlink_to(tree)
    assert set(known(tree, "6.1.39+")) == {"generic/001"}
    assert set(known(tmp_path / "alias", "6.1.38")) == {"generic/001"}
    assert not known(tree, "6.1.40")


@pytest.mark.parametrize("release", ["6.1.11", "../outside", "6.1.12"])
def test_nothing_leads_out_of_the_tree(tmp_path: Path, release: str) -> None:
    write(tmp_path / "outside", "xfs/unassigned/all.txt", "generic/001\n")
    tree = tmp_path / "tree"
    (tree / "6.1.12/xfs/unassigned").mkdir(parents=True)
    (tree / "6.1.11").symlink_to(tmp_path / "outside")
    (tree / "6.1.12/xfs/unassigned/all.txt").symlink_to(tmp_path / "outside/xfs/unassigned/all.txt")
    with pytest.raises(UserError, match="leads out of"):
        known(tree, release)


def test_what_cannot_be_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a directory of expunge lists"):
        known(tmp_path / "nowhere")
    path = write(tmp_path, "any/xfs/diff/all.txt", "#" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        known(tmp_path)
    path.write_bytes(b"xfs/001 # \xff\n\xff\n")
    with pytest.raises(UserError, match=r"all.txt:2: not a line"):
        known(tmp_path)


@given(st.text(max_size=12))
def test_any_release_is_looked_for_and_only_in_the_tree(tmp_path_factory: pytest.TempPathFactory, release: str) -> None:
    tree = tmp_path_factory.getbasetemp() / "expunges"
    write(tree, "any/xfs/diff/all.txt", "xfs/001\n")
    assert set(known(tree, release)) == {"xfs/001"}
