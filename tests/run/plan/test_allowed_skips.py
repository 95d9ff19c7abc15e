"""Skips that the lab allows: by the name of the test, by the reason, and in a whole run."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import ExitCode
from kdevops.lab.model import Lab
from kdevops.results.baselines import baseline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.events import Note
from kdevops.results.model import Counts, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.run.plan.allowed_skips import allowing, unmatched
from tests.support.arms_bench import Bench, two_arms
from tests.support.baselines import save

SERIES = baseline.series_of(platform.release())
TEST = TestId("fstests", "xfs_crc", "generic/475")


def run_of(*rules: Any) -> Run:
    lab = Lab.model_validate({"name": "x", "verdict": {"allow_skips": list(rules)}})
    return Run(1, "x", RunState.COMPLETE, "", "", {"lab": lab.model_dump(mode="json")})


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("generic/475", "test generic/475"),
        ("generic/4??", "test generic/4??"),
        ("xfs_crc/*", "test xfs_crc/*"),
        ("fstests/xfs_crc/generic/*", "test fstests/xfs_crc/generic/*"),
        ("475", ""),
        ("xfs/*", ""),
        ({"reason": "*dm-thin*"}, "reason *dm-thin*"),
        ({"reason": "dm-thin"}, ""),
        ({"reason": "*DM-THIN*"}, ""),
        ({"reason": "*dm-thin*", "test": "generic/*"}, "test generic/*, reason *dm-thin*"),
        ({"reason": "*dm-thin*", "test": "xfs/*"}, ""),
    ],
)
def test_a_rule_fits_name_and_reason(rule: Any, allowed: str) -> None:
    assert allowing(run_of(rule))(TEST, "needs dm-thin in the kernel") == allowed


def test_all_repeats_are_allowed_alike_and_the_first_rule_that_fits_is_told() -> None:
    allow = allowing(run_of("xfs/*", {"reason": "*"}, "generic/*"))
    assert allow(TEST.repeat(2), "") == allow(TEST, "") == "every skip"


@pytest.mark.parametrize("record", [{}, {"lab": {"name": "x"}}, {"lab": {"verdict": {"of_a_later_version": 1}}}])
def test_a_run_without_rules_allows_nothing(record: dict[str, Any]) -> None:
    assert allowing(Run(1, "x", RunState.COMPLETE, "", "", record))(TEST, "why") == ""


def test_a_glob_that_names_no_test_is_told_and_a_reason_is_not() -> None:
    lab = Lab.model_validate({"name": "x", "verdict": {"allow_skips": ["xfs/*", "generic/*", {"reason": "no*"}]}})
    assert list(map(str, unmatched(lab, [TEST]))) == ["test xfs/*"]
    assert unmatched(lab, []) == []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_run_in_which_a_test_skips_that_ran_before(bench: Bench) -> None:
    scripts = {"always": "true", "hides": "exit 4"}
    table = Table(SERIES, {name: Entry(Counts({Status.PASS: 1})) for name in scripts})
    save(bench.path / "baselines", Baseline(SERIES, {("commands", "default"): table}))
    single = two_arms(scripts, compare=None)
    lost = bench.start(single)
    assert lost.verdict.exit_code is ExitCode.INCOMPLETE
    assert [each.test.name for each in lost.verdict.skipped_now] == ["hides"]
    allowed = bench.start(two_arms(scripts, compare=None, verdict={"allow_skips": ["hides", "hdies"]}))
    assert allowed.verdict.exit_code is ExitCode.OK
    notes = [event.text for event in bench.watcher.events if isinstance(event, Note)]
    assert notes.count("verdict.allow_skips: no planned test matches hdies") == 1
    assert not [note for note in notes if "matches hides" in note]


def test_a_test_that_skips_only_on_the_kernel_under_test(bench: Bench) -> None:
    scripts = {"always": "true", "hides": '[ "$KERNEL" = old ] || exit 4'}
    first = bench.start(two_arms(scripts))
    assert first.verdict.exit_code is ExitCode.INCOMPLETE
    allowed = bench.start(two_arms(scripts, verdict={"allow_skips": ["hides"]}))
    assert allowed.verdict.exit_code is ExitCode.OK
    assert allowed.verdict.arm is not None
    assert first.verdict.arm is not None
    assert allowed.verdict.arm.run.id == first.verdict.arm.run.id, "rules of the verdict run no kernel again"
