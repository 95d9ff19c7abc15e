"""`kdevops baseline explain` and `annotate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.results.baselines.baseline import load
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.model import Outcome, Status, Subtest, TestId
from tests.cli.said import told

S = Status
KEY = ("fstests", "xfs_crc")
HERE = Conditions("x86_64")
Accept = Callable[..., None]
ALPHA = Outcome(S.FAIL, subtests=(Subtest("alpha", S.FAIL),))


def test_counts_by_run_the_rate_and_the_notes_are_told(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    for day, end in enumerate([Outcome(S.PASS, 7.0), ALPHA, Outcome(S.PASS, 7.0)], 1):
        accepted({"generic/001": Outcome(S.PASS), "generic/475": end}, day=f"2026-11-0{day}")
    told(capsys, "baseline", "annotate", "generic/475", "--note", "only with HZ=100", "--way", "sub:alpha")
    told(capsys, "baseline", "annotate", "generic/475", "--note", "a race", "--until", "2999-12-31")
    assert told(capsys, "baseline", "explain", "generic/475").splitlines() == [
        "6.1 x86_64 fstests/xfs_crc generic/475",
        "  pass=2 fail=1; goes bad 33% (6%-79%) of 3",
        "  generic/475>sub:alpha  seen=1  # only with HZ=100",
        "  known until 2999-12-31",
        "  note: a race",
        "  takes 7.0 s",
        "  pass=1: 2026-11-01 08:00 UTC, 6.1.192, lab demo",
        "  fail=1: 2026-11-02 08:00 UTC, 6.1.192, lab demo",
        "  pass=1: 2026-11-03 08:00 UTC, 6.1.192, lab demo",
    ]
    (found,) = json.loads(told(capsys, "baseline", "explain", "generic/475", "--json"))
    assert (found["rate"], len(found["runs"])) == (1 / 3, 3)
    told(capsys, "baseline", "compact")
    assert told(capsys, "baseline", "explain", "generic/475").splitlines()[-1] == (
        "  pass=2 fail=1: 3 runs: 2026-11-01 08:00 UTC, 6.1.192, lab demo … 2026-11-03 08:00 UTC, 6.1.192, lab demo"
    )


def test_what_applies_to_a_kernel_comes_nearest_first(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    for release in ("5.15.1", "6.1.192", "6.6.1"):
        accepted({"generic/475": Outcome(S.FAIL)}, kernel={"release": release, "machine": "x86_64"})
    lines = told(capsys, "baseline", "explain", "generic/475", "--kernel", "6.2").splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["6.1", "5.15"]


def test_a_name_that_nobody_knows_is_told_with_the_nearest(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted({"generic/475": Outcome(S.FAIL)})
    for verb in (("explain", "generic/457"), ("annotate", "generic/457", "--note", "x")):
        error = told(capsys, "baseline", *verb, code=2)
        assert "knows no test generic/457; nearest of 1 name: generic/475" in error


def test_a_test_may_have_several_notes_and_they_are_removed(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    for profile in ("xfs_crc", "xfs_nocrc"):
        accepted({"generic/475": Outcome(S.FAIL), "generic/476": Outcome(S.FAIL)}, profile=profile)
    told(capsys, "baseline", "annotate", "generic/475", "--note", "one")
    told(capsys, "baseline", "annotate", "xfs_crc/generic/475", "--note", "two", "--link", "https://x.example/1")
    assert told(capsys, "baseline", "annotate", "generic/475", "--note", "one").strip() == "that is noted already"
    notes = Path("baselines/6.1/x86_64/fstests/xfs_crc/notes.txt")
    assert notes.read_text() == "generic/475  # one\ngeneric/475  # two https://x.example/1\n"
    assert "fail=1  # one; two https://x.example/1" in told(capsys, "baseline", "show")
    told(capsys, "baseline", "annotate", "xfs_crc/generic/475", "--remove")
    assert notes.read_text() == ""
    assert "# one\n" in told(capsys, "baseline", "show"), "of the other profile"
    assert "nothing to note" in told(capsys, "baseline", "annotate", "generic/475", code=2)


def test_a_note_is_only_written_about_what_is_named_and_known(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted({"generic/475": Outcome(S.CRASH), "generic/476": Outcome(S.FAIL)})
    for name in ("generic/47", ""):
        assert "perhaps one of: fstests/xfs_crc/generic/475, " in told(
            capsys, "baseline", "annotate", name, "--note", "x", code=2
        )
    refused = told(capsys, "baseline", "annotate", "generic/475", "--way", "crush", "--note", "x", code=2)
    assert "never went bad by crush" in refused
    assert "known: crash" in refused
    assert "--remove goes with" in told(
        capsys, "baseline", "annotate", "generic/475", "--remove", "--note", "x", code=2
    )
    assert told(capsys, "baseline", "annotate", "generic/475", "--remove") == "there is nothing to remove\n"
    assert not list(Path("baselines").rglob("notes.txt"))


def test_a_test_that_is_gone_is_still_explained_and_comes_back(
    accepted: Accept, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted({"generic/475": Outcome(S.PASS), "generic/999": Outcome(S.PASS)})
    told(capsys, "baseline", "annotate", "generic/999", "--gone", "--note", "dropped upstream")
    assert "note: gone: dropped upstream" in told(capsys, "baseline", "explain", "generic/999")
    assert load(Path("baselines"), "6.1", HERE).ever_ran({KEY}) == {TestId(*KEY, "generic/475")}
    told(capsys, "baseline", "annotate", "generic/999", "--remove")
    assert load(Path("baselines"), "6.1", HERE).ever_ran({KEY}) == {TestId(*KEY, f"generic/{n}") for n in (475, 999)}


def test_an_end_that_is_no_day_is_refused(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    accepted({"generic/475": Outcome(S.FAIL)})
    assert "--until" in told(capsys, "baseline", "annotate", "generic/475", "--until", "soon", code=2)


def test_after_its_end_a_failure_is_unknown_again(accepted: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    for day in range(1, 4):
        accepted({"generic/475": Outcome(S.FAIL)}, day=f"2026-11-0{day}")
    told(capsys, "results", "3", "--judge")
    told(capsys, "baseline", "annotate", "generic/475", "--until", "2026-11-02")
    assert "Undecided" in told(capsys, "results", "3", "--judge", code=4)
    told(capsys, "results", "1", "--judge")


def test_what_expunge_lists_say_is_told_even_of_a_test_that_never_ran(
    accepted: Accept, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    accepted({"generic/475": Outcome(S.PASS)})
    for kernel, line in (
        ("6.1.42", "generic/475 # F:1/11 https://x.example"),
        ("6.6", "generic/475"),
        ("any", "xfs/001"),
    ):
        path = tmp_path / "tree" / kernel / "xfs/unassigned/xfs_crc.txt"
        path.parent.mkdir(parents=True)
        path.write_text(f"# ours\n{line}\n")
    told(capsys, "baseline", "import", "tree")
    assert "expunge lists of fstests: 3 known failures in 3 lists\n" in told(capsys, "baseline", "show")
    lines = told(capsys, "baseline", "explain", "generic/475", "--kernel", "6.1.192").splitlines()
    place = Path("baselines/expunges/fstests").absolute()
    assert lines[-1] == f"{place}/6.1.42/xfs/unassigned/xfs_crc.txt:2 generic/475 # F:1/11 https://x.example".replace(
        "475 #", "475  #"
    )
    assert not any("6.6" in line for line in lines)
    assert told(capsys, "baseline", "explain", "xfs/001") == f"{place}/any/xfs/unassigned/xfs_crc.txt:2 xfs/001\n"
