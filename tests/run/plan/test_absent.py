"""Tests that the baseline saw run and that a run did not plan: chosen so, or lost."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from kdevops import paths
from kdevops.__main__ import main
from kdevops.errors import ExitCode
from kdevops.lab.model import Lab
from kdevops.report.words import headline
from kdevops.results.baselines import baseline
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.writing import write
from kdevops.results.boot_failure import BootFailure
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.run.accepting import accepting
from kdevops.run.judging import judge
from kdevops.run.plan.absent import OLDER, asked_for, asked_record, explaining
from kdevops.run.session import Ended
from tests.support.arms_bench import Bench
from tests.support.arms_bench import two_arms as lab
from tests.support.baselines import save

SERIES = baseline.series_of(platform.release())
SCRIPTS = {"one": "true", "two": "true", "three": "true"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def single(*names: str, **more: Any) -> Lab:
    scripts = {name: SCRIPTS[name] for name in names or SCRIPTS}
    return lab(scripts, compare=None, **more)


def accept(bench: Bench, ended: Ended, series: str = SERIES) -> None:
    directory = bench.path / "baselines"
    with Store(bench.dirs.state) as store:
        found = accepting(store, ended.run)
    write(directory, found.change.texts)
    if series != SERIES:
        (directory / SERIES).rename(directory / series)


def test_a_test_that_is_not_planned_any_more_makes_the_run_incomplete(bench: Bench) -> None:
    accept(bench, bench.start(single()))
    assert bench.start(single()).verdict.exit_code is ExitCode.OK
    ended = bench.start(single("one", "three"))
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    assert [test.name for test in ended.verdict.lost] == ["two"]
    assert headline(ended.run, ended.verdict) == (
        "Coverage lost: 1 test of the baseline was not planned for unknown reasons: two; "
        "nothing regressed in 2 tests that ran (2 pass); 2 of the 3 tests in the baseline"
    )
    with Store(bench.dirs.state) as store:
        assert judge(store, store.run(ended.run.id)) == ended.verdict


def test_nobody_misses_a_test_that_is_gone_for_good(bench: Bench) -> None:
    accept(bench, bench.start(single()))
    ended = bench.start(single("one", "three"))
    assert [test.name for test in ended.verdict.lost] == ["two"]
    assert main(["baseline", "annotate", "two", str(bench.path / "baselines"), "--gone"]) == 0
    with Store(bench.dirs.state) as store:
        verdict = judge(store, store.run(ended.run.id), anew=True)
    assert (verdict.exit_code, verdict.lost) == (ExitCode.OK, ())


def test_a_run_that_was_narrowed_tells_how_much_of_the_baseline_it_is(bench: Bench) -> None:
    accept(bench, bench.start(single()))
    ended = bench.start(single(), only=["tw*", "*one"])
    assert ended.verdict.exit_code is ExitCode.OK
    assert headline(ended.run, ended.verdict) == (
        "Nothing regressed in 2 tests that ran (2 pass); 2 of the 3 tests in the baseline"
    )
    ended = bench.start(single("one", "three"), only=["t*"])
    assert [test.name for test in ended.verdict.lost] == ["two"], "it fits what was asked for, and is not there"
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE


def test_a_run_of_what_went_wrong_is_no_less_than_was_asked_for(bench: Bench) -> None:
    scripts = {**SCRIPTS, "two": "exit 1", "three": "exit 1"}
    first = bench.start(lab(scripts, compare=None))
    accept(bench, first)
    again = bench.start(lab(scripts, compare=None), failures_of=first.run.id)
    assert again.verdict.exit_code is ExitCode.OK
    assert headline(again.run, again.verdict).endswith("2 of the 3 tests in the baseline")
    del scripts["two"]
    again = bench.start(lab(scripts, compare=None), failures_of=first.run.id)
    assert [test.name for test in again.verdict.lost] == ["two"]
    assert bench.rerun(again.run.id).verdict.lost == again.verdict.lost


def test_what_may_be_another_labs_is_told_and_no_more(bench: Bench) -> None:
    accept(bench, bench.start(single("one", "two", name="other")))
    accept(bench, bench.start(single("one", "two", name="ab")))
    ended = bench.start(single("one"))
    assert ended.verdict.exit_code is ExitCode.OK
    assert headline(ended.run, ended.verdict).endswith("1 of the 2 tests in the baseline, without two")
    assert list(ended.verdict.absent.values()) == ["maybe of another lab, as other"]


def test_what_an_older_series_ran_is_told_and_not_taken_over(bench: Bench) -> None:
    accept(bench, bench.start(single()), series="2.6")
    ended = bench.start(single("one", "two"))
    assert (ended.verdict.exit_code, list(ended.verdict.absent.values())) == (ExitCode.OK, [OLDER])
    accept(bench, ended)
    assert bench.start(single("one", "two")).verdict.exit_code is ExitCode.OK
    assert bench.start(single("one")).verdict.exit_code is ExitCode.INCOMPLETE


KASAN = {"kind": "kasan", "signature": "KASAN: x in y", "title": "BUG: KASAN: x in y", "gates": True, "text": "x"}
STRAY = {**KASAN, "guest": "ab-1", "when": "at boot"}


def test_a_run_that_is_done_again_begins_without_what_happened_in_the_first(bench: Bench) -> None:
    first = bench.start(single())
    with Store(bench.dirs.state) as store:
        happened = {"stray_reports": [STRAY], **BootFailure("x", "g", "c").as_record()}
        store.update_record(first.run.id, happened)
        assert judge(store, store.run(first.run.id)).exit_code is ExitCode.REGRESSION
    again = bench.rerun(first.run.id)
    assert again.verdict.exit_code is ExitCode.OK
    assert happened.keys().isdisjoint(again.run.record)


def test_what_the_baseline_kernel_says_at_boot_too_is_known(bench: Bench) -> None:
    ended = bench.start(lab({"always": "true"}))
    with Store(bench.dirs.state) as store:
        store.update_record(ended.run.id, {"stray_reports": [STRAY]})
        assert judge(store, store.run(ended.run.id)).troubles == {KASAN["signature"]}
        store.update_record(1, {"stray_reports": [STRAY]})
        assert judge(store, store.run(ended.run.id)).exit_code is ExitCode.OK


def test_a_test_that_only_the_baseline_kernel_has_is_lost(bench: Bench) -> None:
    bench.lacks = {"ab-dev": {"breaks"}}
    ended = bench.start(lab())
    assert [test.name for test in ended.verdict.lost] == ["breaks"]
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    assert "3 of the 4 tests in the baseline" in headline(ended.run, ended.verdict)
    assert bench.start(lab(), only=["always"]).verdict.exit_code is ExitCode.OK
    assert [test.name for test in bench.start(lab(), only=["*s"]).verdict.lost] == ["breaks"]


def test_of_kernels_of_two_series_the_older_may_have_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdevops.run.arms.series_of", lambda _: "2.6")
    bench.lacks = {"ab-dev": {"breaks"}}
    ended = bench.start(lab())
    assert (ended.verdict.exit_code, list(ended.verdict.absent.values())) == (ExitCode.OK, [OLDER])


def test_the_baseline_arm_alone_is_not_asked_for_what_the_other_kernel_lacks(bench: Bench) -> None:
    key = ("commands", "default")
    known = {name: Entry(Counts({Status.PASS: 1})) for name in ("always", "breaks")}
    save(bench.path / "baselines", Baseline(SERIES, {key: Table(SERIES, known)}))
    bench.lacks = {"ab-dev": {"breaks"}}
    ended = bench.start(lab())
    assert [test.name for test in ended.verdict.lost] == ["breaks"]
    with Store(bench.dirs.state) as store:
        assert judge(store, store.run(1)).absent == {TestId(*key, "breaks"): "the kernel under test does not have it"}


def run_of(lab_record: dict[str, Any] | None, **more: Any) -> Run:
    record: dict[str, Any] = {"baseline": "/nowhere", **asked_record([], [], None), **more}
    if lab_record is not None:
        record["lab"] = Lab.model_validate({"name": "x", "suites": lab_record}).model_dump(mode="json")
    return Run(1, "x", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", None, record)


def why(run: Run, suite: str, name: str, profile: str = "default", planned: tuple[TestId, ...] = ()) -> str:
    test = TestId(suite, profile, name)
    table = Table("6.1", {name: Entry(Counts({Status.PASS: 1}))})
    return explaining(run, planned, Baseline("6.1", {(suite, profile): table}))(test)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timers:posix", "not in suites.selftests.targets"),
        ("futex:slow_one", "suites.selftests.skip"),
        ("net/forwarding:x", "not in suites.selftests.tests"),
        ("futex:run.sh", ""),
    ],
)
def test_selftests_are_chosen_by_target_and_name(name: str, reason: str) -> None:
    section = {"targets": ["futex", "net/forwarding"], "tests": ["futex:*"], "skip": ["*:slow*"]}
    assert why(run_of({"selftests": section}), "selftests", name) == reason


def test_kunit_suites_are_chosen_by_name_and_may_move() -> None:
    run = run_of({"kunit": {"suites": ["ext4*"]}})
    assert why(run, "kunit", "list") == why(run, "kunit-modules", "list") == "not in suites.kunit.suites"
    assert why(run, "kunit", "ext4_inode") == ""
    now = TestId("kunit-modules", "default", "ext4_inode")
    assert why(run, "kunit", "ext4_inode", planned=(now,)) == "run as kunit-modules now"


@pytest.mark.parametrize(
    ("section", "name", "reason"),
    [
        ({}, "generic/475", "not selected by suites.fstests"),
        ({}, "generic/001", ""),
        ({"exclude": ["generic/0*"]}, "generic/001", "suites.fstests.exclude"),
        ({"start_after": "generic/100"}, "generic/001", "suites.fstests.start_after"),
        ({"tests": ["xfs/*"]}, "generic/001", "not in suites.fstests.tests"),
        ({"tests": ["xfs/*"], "groups": ["quick"]}, "generic/001", ""),
        ({"groups": ["quick"]}, "generic/001", ""),
    ],
)
def test_fstests_are_chosen_by_what_the_suite_passed_over(section: dict[str, Any], name: str, reason: str) -> None:
    run = run_of({"fstests": {"profiles": ["xfs_crc"], **section}}, passed_over={"fstests": ["generic/475"]})
    assert why(run, "fstests", name, "xfs_crc") == reason


def test_a_suite_that_nobody_described_explains_nothing() -> None:
    assert why(run_of({}), "blktests", "block/001") == ""


def test_of_what_was_not_recorded_nothing_is_said_to_be_lost() -> None:
    older = run_of({})
    older = Run(1, "x", older.state, older.created, None, {k: v for k, v in older.record.items() if k != "asked"})
    assert why(older, "commands", "one") == "an older kdevops did not record what was asked for"
    assert "imported" in why(run_of(None, imported={"directory": "/r"}), "fstests", "generic/001", "xfs_crc")
    assert why(run_of(None), "commands", "one") == ""


def test_what_comes_with_kdevops_may_be_of_another_lab() -> None:
    run = run_of({"kunit": {}}, baseline=str(paths.data_dir("baselines")))
    assert why(run, "kunit", "list") == "maybe of another lab"
    assert why(run_of({"selftests": {"targets": ["futex"]}}, **run.record), "selftests", "futex:run.sh") == ""


def test_a_suite_of_which_nothing_is_planned_any_more_is_asked_for_all_the_same(tmp_path: Path) -> None:
    section = {"kunit": {}, "commands": {"tests": {"one": "true"}}}
    record = {**run_of(section).record, "kernel": {"release": "6.1.1"}, "baseline": str(tmp_path)}
    known = {("kunit", "default"): Table("6.1", {"list": Entry(Counts({Status.PASS: 1}))})}
    save(tmp_path, Baseline("6.1", known))
    with Store(tmp_path) as store:
        test = TestId("commands", "default", "one")
        number = store.create_run("x", [PlannedRow(test, 1)], {**record, "suites": {"commands": {}, "kunit": {}}})
        store.ended(number, test, Outcome(Status.PASS))
        store.finish(number)
        assert asked_for(store.run(number)) >= {("kunit", "default")}
        assert [test.name for test in judge(store, store.run(number)).lost] == ["list"]


def test_what_only_ever_skipped_is_not_missed(bench: Bench) -> None:
    accept(bench, bench.start(lab({"one": "true", "skips": "exit 4"}, compare=None)))
    assert bench.start(single("one")).verdict.exit_code is ExitCode.OK
