from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.accepted import Accepted, begin, file_of, finish, known, labs, mark_of
from kdevops.results.files import Files
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.store import Run

S = Status
OUTCOMES = {TestId("selftests", "default", "a"): Outcome(S.PASS, 1.0)}


def run(number: int = 1, created: str = "2026-11-21T08:00:00.000+00:00", lab: str = "demo") -> Run:
    return Run(number, lab, RunState.COMPLETE, created, created, {"kernel": {"release": "6.1.192"}})


def test_a_mark_is_of_one_run_in_any_store() -> None:
    mark = mark_of(run(), OUTCOMES)
    assert len(mark) == 16
    assert mark == mark_of(run(7), OUTCOMES)  # the number is another store's
    others = [
        mark_of(run(created="2026-11-21T08:00:00.001+00:00"), OUTCOMES),
        mark_of(run(lab="other"), OUTCOMES),
        mark_of(run(), {next(iter(OUTCOMES)): Outcome(S.FAIL, 1.0)}),
    ]
    assert len({mark, *others}) == 4


def imported(number: int, created: str, lab: str, **facts: object) -> Run:
    record = {"kernel": {"release": "6.1.192"}, "imported": {"directory": "/x", **facts}}
    return Run(number, lab, RunState.COMPLETE, created, created, record)


def test_the_mark_of_a_run_of_our_own_is_as_it_was() -> None:
    assert mark_of(run(), OUTCOMES) == "ecc75b8d0aba7c8f"  # baselines in git have it
    old = imported(1, run().created, "demo")  # by a kdevops that knew of no identity
    assert mark_of(old, OUTCOMES) == "ecc75b8d0aba7c8f"


def test_imported_results_have_the_same_mark_whoever_imported_them(tmp_path: Path) -> None:
    one = imported(1, "2026-11-21T08:00:00.000+00:00", "mine", identity="ab" * 32, ran={"xfs": "2024-05-17T22:03:06"})
    two = imported(9, "2026-11-28T08:00:00.000+00:00", "theirs", identity="ab" * 32)
    assert mark_of(one, OUTCOMES) == mark_of(two, {}) == "ab" * 8
    begin(tmp_path, "6.1", "a" * 16, one)
    finish(tmp_path, "6.1", "b" * 16, two)
    assert "ran 2024-05-17, lab mine, begun\n" in file_of(tmp_path, "6.1").read_text()
    assert f"{'b' * 16}  imported, lab theirs\n" in file_of(tmp_path, "6.1").read_text()
    assert labs(Files(tmp_path), "6.1") == {"mine", "theirs"}


def test_a_run_is_unknown_then_begun_then_done(tmp_path: Path) -> None:
    mark = mark_of(run(), OUTCOMES)
    assert known(tmp_path, "6.1", mark) is Accepted.NO
    begin(tmp_path, "6.1", mark, run())
    assert known(tmp_path, "6.1", mark) is Accepted.BEGUN
    assert finish(tmp_path, "6.1", mark, run())
    assert known(tmp_path, "6.1", mark) is Accepted.YES
    assert not finish(tmp_path, "6.1", mark, run())
    assert known(tmp_path, "6.6", mark) is Accepted.NO
    assert f"{mark}  2026-11-21 08:00 UTC, lab demo\n" in file_of(tmp_path, "6.1").read_text()


def test_the_labs_are_those_whose_runs_are_in_it(tmp_path: Path) -> None:
    assert labs(Files(tmp_path), "6.1") == frozenset()
    finish(tmp_path, "6.1", "a" * 16, run())
    begin(tmp_path, "6.1", "b" * 16, run(lab="xfs-dev"))
    path = file_of(tmp_path, "6.1")
    path.write_text(f"{path.read_text()}{'c' * 16}\n{'d' * 16}  by hand\n")
    assert labs(Files(tmp_path), "6.1") == {"demo", "xfs-dev"}


@given(st.lists(st.text(alphabet="0123456789abcdef", min_size=16, max_size=16), unique=True, max_size=5))
def test_lines_are_sorted_and_comments_stay(marks: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file_of(directory, "6.1").parent.mkdir()
        file_of(directory, "6.1").write_text("# mine\n")
        for mark in marks:
            finish(directory, "6.1", mark, run())
        lines = file_of(directory, "6.1").read_text().splitlines()
        assert lines[0] == "# mine"
        assert [line.split()[0] for line in lines[1:]] == sorted(marks)
        assert all(known(directory, "6.1", mark) is Accepted.YES for mark in marks)


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "nonsense", "\x1b[2J"])
def test_what_is_no_line_of_it_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    file_of(tmp_path, "6.1").parent.mkdir()
    file_of(tmp_path, "6.1").write_text(f"# mine\n{line}\n")
    with pytest.raises(UserError, match=r"accepted\.txt:2: "):
        known(tmp_path, "6.1", "0" * 16)
