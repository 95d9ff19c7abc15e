"""The file of known kernel reports: what a person writes, what git merges, what comes back."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.baselines import baseline, reports, writing
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.reports import HEADER, KnownReports, format_reports
from kdevops.results.model import KernelReport, Outcome, Status, TestId
from kdevops.text import clean
from tests.support.baselines import accepted_into

PATH = Path("baselines/6.1/reports.txt")
FILE = PurePosixPath("6.1/reports.txt")
SIGNATURES = st.text(max_size=60).map(clean).filter(bool).filter(lambda text: text == clean(text)) | st.sampled_from(
    ["<<<<<<< HEAD", "======= x", "# x", "100% of it", "%41", "a # b", "WARNING in foo (2)", "||||||| b"]
)
NOTES = st.text(max_size=40).map(clean)


def parse(text: str) -> KnownReports:
    return reports.parse(text, path=PATH, series="6.1")


@given(st.dictionaries(SIGNATURES, NOTES, max_size=8))
@example({"<<<<<<< HEAD": "", "%23": "# x"})
def test_what_is_written_is_read_back(notes: dict[str, str]) -> None:
    known = KnownReports("6.1", notes, HEADER)
    text = reports.format_reports(known)
    assert dict(parse(text).notes) == notes
    assert reports.format_reports(parse(text)) == text
    assert text.isascii() or any(not note.isascii() for note in notes.values())
    assert len(text.splitlines()) == len(notes) + len(HEADER)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_its_line(text: str) -> None:
    try:
        known = parse(text)
    except UserError:
        with pytest.raises(UserError, match=rf"^{PATH}:[0-9]+: "):
            parse(text)
        return
    assert reports.format_reports(parse(reports.format_reports(known))) == reports.format_reports(known)


@given(st.sets(SIGNATURES, max_size=5), st.sets(SIGNATURES, max_size=5))
def test_the_lines_of_both_sides_are_the_signatures_of_both(ours: set[str], theirs: set[str]) -> None:
    both = "".join(reports.format_reports(KnownReports("6.1", dict.fromkeys(side, ""))) for side in (ours, theirs))
    assert parse(both).notes.keys() == ours | theirs


def test_it_reads_as_a_person_writes_it() -> None:
    known = parse("# known ones\nWARNING in xfs_bar  # https://example.org/1, fixed in 6.1.200\n\nKASAN: a in b\n")
    assert dict(known.notes) == {
        "WARNING in xfs_bar": "https://example.org/1, fixed in 6.1.200",
        "KASAN: a in b": "",
    }
    assert reports.format_reports(known) == (
        "# known ones\nKASAN: a in b\nWARNING in xfs_bar  # https://example.org/1, fixed in 6.1.200\n"
    )


def test_the_notes_of_a_signature_that_two_people_added_are_both_kept() -> None:
    assert dict(parse("a  # x\na\na  # y\na  # x\n").notes) == {"a": "x; y"}


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs", "||||||| base"])
def test_a_conflict_is_refused_by_its_line(marker: str) -> None:
    with pytest.raises(UserError, match=r"reports.txt:2: an unresolved git conflict") as caught:
        parse(f"a\n{marker}\nb\n")
    assert "both sides" in str(caught.value.hint)


def test_a_comment_among_the_signatures_is_refused() -> None:
    with pytest.raises(UserError, match=r"reports.txt:2: a comment between signatures"):
        parse("a\n# why\nb\n")


def git(directory: Path, *arguments: str, check: bool = True) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(directory), *who, *arguments], check=check, capture_output=True)


def write(directory: Path, *signatures: str) -> None:
    known = reports.load(Files(directory), ["6.1"]).with_signatures("6.1", signatures)
    writing.write(directory, {FILE: format_reports(known)})
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "x")


@pytest.mark.parametrize(
    ("ours", "theirs", "clean_merge"),
    [
        (["c: one"], ["m: two"], True),
        (["c: one", "z: same"], ["m: two"], True),
        (["c: one"], ["c: one"], True),
        (["c: one"], ["c: two"], False),
    ],
)
def test_a_plain_merge_gives_both_or_a_conflict_that_is_refused(
    tmp_path: Path, ours: list[str], theirs: list[str], clean_merge: bool
) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, "b: old", "k: old", "x: old")
    git(tmp_path, "checkout", "-qb", "theirs")
    write(tmp_path, *theirs)
    git(tmp_path, "checkout", "-q", "main")
    write(tmp_path, *ours)
    git(tmp_path, "merge", "-q", "--no-edit", "theirs", check=False)
    if not clean_merge:
        with pytest.raises(UserError, match="unresolved git conflict"):
            reports.load(Files(tmp_path), ["6.1"])
        return
    assert reports.load(Files(tmp_path), ["6.1"]).notes.keys() == {"b: old", "k: old", "x: old", *ours, *theirs}


def outcome(*signatures: str, gates: bool = True) -> Outcome:
    return Outcome(Status.PASS, reports=tuple(KernelReport("warning", each, each, gates, "") for each in signatures))


TEST = TestId("commands", "default", "one")


def test_accepting_learns_the_kernels_own_trouble_and_no_notice(tmp_path: Path) -> None:
    seen = {TEST: outcome("WARNING in a"), TestId("commands", "default", "two"): outcome("ext4", gates=False)}
    written = accepted_into(tmp_path, "6.1", seen)
    assert reports.file_of(tmp_path, "6.1") in written
    text = reports.file_of(tmp_path, "6.1").read_text()
    assert text.splitlines() == [*HEADER, "WARNING in a"]
    assert accepted_into(tmp_path, "6.1", {TEST: outcome("WARNING in a")})  # only the counts
    assert reports.file_of(tmp_path, "6.1").read_text() == text


def test_no_file_is_written_where_the_kernel_reported_nothing(tmp_path: Path) -> None:
    accepted_into(tmp_path, "6.1", {TEST: Outcome(Status.PASS)})
    assert not reports.file_of(tmp_path, "6.1").exists()


def test_a_series_without_a_file_has_that_of_the_nearest_older_one(tmp_path: Path) -> None:
    for series, signature in (("5.15", "old"), ("6.1", "WARNING in a  # note"), ("6.12", "newer")):
        path = reports.file_of(tmp_path, series)
        path.parent.mkdir(parents=True)
        path.write_text(f"{signature}\n")
    found = baseline.load(tmp_path, "6.6")
    assert (found.reports.series, dict(found.reports.notes)) == ("6.1", {"WARNING in a": "note"})
    accepted_into(tmp_path, "6.6", {TEST: outcome("WARNING in b")})
    assert reports.file_of(tmp_path, "6.6").read_text().splitlines()[-2:] == ["WARNING in a  # note", "WARNING in b"]
    assert reports.file_of(tmp_path, "6.1").read_text() == "WARNING in a  # note\n"


def test_the_header_and_the_notes_of_a_person_stay(tmp_path: Path) -> None:
    path = reports.file_of(tmp_path, "6.1")
    path.parent.mkdir(parents=True)
    path.write_text("# ours\nb  # why\n")
    accepted_into(tmp_path, "6.1", {TEST: outcome("a")})
    assert path.read_text() == "# ours\na\nb  # why\n"


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    path = reports.file_of(tmp_path, "6.1")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\n")
    with pytest.raises(UserError, match=r"reports.txt is not UTF-8 text \(byte 0\)"):
        baseline.load(tmp_path, "6.1")
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"reports.txt is not a regular file"):
        baseline.load(tmp_path, "6.1")
    with pytest.raises(InfrastructureError, match=r"cannot write the baseline .*reports.txt"):
        writing.write(tmp_path, {FILE: format_reports(KnownReports("6.1", {"a": ""}))})
