"""`kdevops baseline prune`, `compact` and `migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.results.model import Outcome, Status
from tests.cli.said import told

S = Status
Accept = Callable[..., None]
FOLDER = Path("baselines/6.1/x86_64/fstests/xfs_crc")


def test_what_passed_for_long_is_proposed_and_forgotten_only_when_told(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in range(1, 8):
        ends = {
            "generic/001": Outcome(S.FAIL if day == 2 else S.PASS),
            "generic/002": Outcome(S.FAIL if day == 6 else S.PASS),
        }
        accepted({**ends, "generic/003": Outcome(S.SKIP)}, day=f"2026-11-0{day}")
    before = told(capsys, "baseline", "show", "--all")
    assert told(capsys, "baseline", "prune") == "nothing to prune\n"
    proposed = told(capsys, "baseline", "prune", "--passes", "5").splitlines()
    assert proposed == [
        "6.1 x86_64 fstests/xfs_crc generic/001: 5 passes since the last failure",
        "forget 1 test that way: the same with --yes",
    ]
    assert told(capsys, "baseline", "show", "--all") == before
    told(capsys, "baseline", "prune", "--passes", "5", "--yes")
    text = told(capsys, "baseline", "show", "--all")
    assert "  generic/001  pass=6\n  generic/002  pass=6 fail=1 (14%)\n" in text
    assert told(capsys, "baseline", "prune", "--passes", "5") == "nothing to prune\n"
    told(capsys, "baseline", "compact")
    assert "  generic/001  pass=6\n  generic/002  pass=6 fail=1 (14%)\n" in told(capsys, "baseline", "show", "--all")


def test_what_was_known_until_a_day_is_forgotten_with_its_note(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted({"generic/001": Outcome(S.FAIL), "generic/002": Outcome(S.FAIL)})
    told(capsys, "baseline", "annotate", "generic/001", "--until", "2026-11-01", "--note", "wait")
    told(capsys, "baseline", "annotate", "generic/002", "--until", "2999-11-01", "--note", "wait")
    (proposed,) = json.loads(told(capsys, "baseline", "prune", "--json"))
    assert (proposed["test"], proposed["why"], proposed["forgotten"]) == (
        "generic/001",
        "known until 2026-11-01",
        False,
    )
    told(capsys, "baseline", "prune", "--yes", "--only", "xfs/*")
    assert "generic/001  fail=1" in told(capsys, "baseline", "show")
    told(capsys, "baseline", "prune", "--yes")
    text = told(capsys, "baseline", "show", "--all")
    assert "generic/001  pass=0\n" in text
    assert "generic/002  fail=1  until 2999-11-01  # wait" in text
    assert "generic/001" not in (FOLDER / "notes.txt").read_text()


def test_several_files_become_one_that_says_the_same(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    for day in range(1, 5):
        accepted({"generic/001": Outcome(S.PASS, 3.0), f"generic/10{day}": Outcome(S.FAIL)}, day=f"2026-11-0{day}")
    before = json.loads(told(capsys, "baseline", "show", "--json"))
    told(capsys, "baseline", "compact")
    assert json.loads(told(capsys, "baseline", "show", "--json")) == before
    assert len(list(FOLDER.glob("sum-*.txt"))) == 1
    assert not [path for path in FOLDER.glob("*-*.txt") if not path.name.startswith(("sum", "tests", "seconds"))]
    assert told(capsys, "baseline", "compact") == "nothing to compact\n"
    assert "accepted already" in told(capsys, "baseline", "accept", "1")
    accepted({"generic/001": Outcome(S.CRASH)}, day="2026-11-09")
    assert "generic/001  pass=4 crash=1" in told(capsys, "baseline", "show")


OLD = """\
# of ours
a  pass=12 fail=1  1.4s  # flaky since 6.1.20 https://x.example
a>sub:alpha  seen=1  # bug 7
b  pass=9
c  skip=9
"""


def test_old_tables_take_the_form_of_today_and_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    old = Path("baselines/6.1/selftests/default.txt")
    old.parent.mkdir(parents=True)
    old.write_text(OLD)
    marks = Path("baselines/6.1/accepted.txt")
    marks.write_text(f"# runs\n{'a' * 16}  2026-11-21 22:42 UTC, lab demo\n")
    before = told(capsys, "baseline", "show", "--all").splitlines()[2:]
    told(capsys, "baseline", "migrate", "--machine", "riscv64", "--suite-series", "selftests=6")
    assert not old.exists()
    assert not marks.exists()
    after = told(capsys, "baseline", "show", "--all").splitlines()
    assert after[1] == "6.1 riscv64 selftests@6/default: 3 tests in 2 runs or more"
    assert after[2:] == before
    folder = Path("baselines/6.1/riscv64/selftests@6/default")
    assert (folder / "notes.txt").read_text() == "a  # flaky since 6.1.20 https://x.example\na>sub:alpha  # bug 7\n"
    (counts,) = folder.glob("sum-*.txt")
    assert f"run {'a' * 16}  # 2026-11-21 22:42 UTC, lab demo\n" in counts.read_text()
    assert "# of ours" in counts.read_text()
    assert told(capsys, "baseline", "migrate") == "nothing to migrate\n"
    assert "write it as fstests=2026" in told(capsys, "baseline", "migrate", "--suite-series", "fstests", code=2)


def test_a_note_on_an_old_table_needs_the_form_of_today(capsys: pytest.CaptureFixture[str]) -> None:
    old = Path("baselines/6.1/selftests/default.txt")
    old.parent.mkdir(parents=True)
    old.write_text(OLD)
    assert "kdevops baseline migrate" in told(capsys, "baseline", "annotate", "a", "--note", "x", code=2)
