"""`kdevops baseline show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.model import Outcome, Status
from tests.cli.said import told

S = Status
Accept = Callable[..., None]


def test_what_does_not_simply_pass_has_a_line_with_rate_note_link_and_end(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    for day, end in enumerate([S.PASS, S.PASS, S.FAIL, S.PASS], 1):
        accepted(
            {"generic/001": Outcome(S.PASS), "generic/475": Outcome(end), "generic/016": Outcome(S.SKIP)},
            day=f"2026-11-0{day}",
        )
    note = ("--note", "flaky since 6.1.20", "--link", "https://bugs.example/7", "--until", "2999-12-31")
    told(capsys, "baseline", "annotate", "generic/475", *note)
    lines = told(capsys, "baseline", "show").splitlines()
    assert lines == [
        str(Path("baselines").absolute()),
        "6.1 x86_64 fstests/xfs_crc: 3 tests in 4 runs; 2 tests passed or skipped",
        "  generic/475  pass=3 fail=1 (25%)  until 2999-12-31  # flaky since 6.1.20 https://bugs.example/7",
    ]
    everything = told(capsys, "baseline", "show", "--all")
    assert "  generic/001  pass=4\n  generic/016  skip=4\n" in everything
    found = {each["test"]: each for each in json.loads(told(capsys, "baseline", "show", "--json"))}
    assert found.keys() == {"generic/001", "generic/016", "generic/475"}
    assert found["generic/475"] | {"symptoms": {}} == {
        "series": "6.1",
        "conditions": "x86_64",
        "suite": "fstests",
        "suite_series": "",
        "profile": "xfs_crc",
        "test": "generic/475",
        "counts": {"pass": 3, "fail": 1},
        "seconds": None,
        "note": "flaky since 6.1.20 https://bugs.example/7",
        "until": "2999-12-31",
        "symptoms": {},
        "symptoms_cut": 0,
    }


def test_no_lab_is_needed_and_any_directory_may_be_named(
    accepted: Accept, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    accepted({"generic/475": Outcome(S.FAIL)})
    Path("baselines").rename(tmp_path / "elsewhere")
    assert "generic/475  fail=1" in told(capsys, "baseline", "show", "elsewhere")
    error = told(capsys, "baseline", "show", code=2)
    assert "there is neither lab.yaml nor baselines/ in this directory" in error
    Path("lab.yaml").write_text('name: demo\nbaseline: elsewhere\nsuites: {commands: {tests: {one: "true"}}}\n')
    assert "generic/475  fail=1" in told(capsys, "baseline", "show")
    assert "generic/475  fail=1" in told(capsys, "baseline", "show", "lab.yaml")


def test_conditions_are_told_apart_and_selected(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    accepted({"generic/475": Outcome(S.FAIL)})
    kasan = {"release": "6.6.1", "machine": "aarch64", "variant": "kasan+lockdep"}
    accepted({"generic/475": Outcome(S.CRASH)}, kernel=kasan, suites={"fstests": {"series": "2026"}})
    text = told(capsys, "baseline", "show")
    assert "6.1 x86_64 fstests/xfs_crc: 1 test in 1 run\n" in text
    assert "6.6 aarch64+kasan+lockdep fstests@2026/xfs_crc: 1 test in 1 run\n" in text
    only = told(capsys, "baseline", "show", "--kernel", "6.6")
    assert "crash=1" in only
    assert "fail=1" not in only
    assert "475" not in told(capsys, "baseline", "show", "--only", "xfs/*")


def test_directories_that_are_of_no_kernel_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    for series in ("6.1", "next", "mine", "6.1.9", "any"):
        path = Path("baselines", series, "selftests/default.txt")
        path.parent.mkdir(parents=True)
        path.write_text("a  fail=1\n")
    Path("baselines/notes").mkdir()
    Path("baselines/README.md").write_text("")
    lines = told(capsys, "baseline", "show").splitlines()
    assert [line for line in lines if "selftests" in line] == [
        "6.1 any machine selftests/default: 1 test in 1 run or more",
        "6.1.9 any machine selftests/default: 1 test in 1 run or more",
        "any any machine selftests/default: 1 test in 1 run or more",
    ]
    assert lines[-1].endswith(": mine, next")
    assert lines[-1].startswith("not read, because ")


def test_a_file_instead_of_a_directory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lab.yaml").write_text('name: demo\nsuites: {commands: {tests: {one: "true"}}}\n')
    Path("baselines").write_text("")
    assert "is not a directory" in told(capsys, "baseline", "show", code=2)
    assert main(["baseline", "show", "nothing"]) == 2
    assert "File name too long" in told(capsys, "baseline", "show", "x" * 300, code=2)
