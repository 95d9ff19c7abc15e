from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.old_marks import is_begun, mark_of, marks
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


def test_imported_results_have_the_same_mark_whoever_imported_them() -> None:
    one = imported(1, "2026-11-21T08:00:00.000+00:00", "mine", identity="ab" * 32, ran={"xfs": "2024-05-17T22:03:06"})
    two = imported(9, "2026-11-28T08:00:00.000+00:00", "theirs", identity="ab" * 32)
    assert mark_of(one, OUTCOMES) == mark_of(two, {}) == "ab" * 8


TEXTS = {
    "6.1/accepted.txt": f"# mine\n{'b' * 16}  2026-11-21 08:00 UTC, lab xfs-dev, begun\n{'c' * 16}\n{'d' * 16}  by hand\n"
}


def test_what_is_said_of_each_run() -> None:
    found = marks(Files(Path("/b"), TEXTS), "6.1")
    assert found == {"b" * 16: "2026-11-21 08:00 UTC, lab xfs-dev, begun", "c" * 16: "", "d" * 16: "by hand"}
    assert [is_begun(said) for said in found.values()] == [True, False, False]
    assert marks(Files(Path("/b"), TEXTS), "6.6") == {}


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "nonsense", "\x1b[2J"])
def test_what_is_no_line_of_it_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(UserError, match=r"accepted\.txt:2: "):
        marks(Files(Path("/b"), {"6.1/accepted.txt": f"# mine\n{line}\n"}), "6.1")
