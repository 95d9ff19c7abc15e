"""Two kernels side by side: real runs of shell scripts in guests that are this machine."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import ExitCode, UserError
from kdevops.lab.arms import arms as arms_of
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict
from kdevops.results.imported import BUNDLED
from kdevops.results.model import Counts, RunState, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run import session
from kdevops.run.judging import judge
from kdevops.run.lock import lab_lock
from kdevops.run.plan.record import lab_of
from kdevops.run.plan.reusable_run import reusable_run
from kdevops.run.session import Ended
from tests.support.arms_bench import SCRIPTS, Bench, Interrupted
from tests.support.arms_bench import two_arms as lab
from tests.support.baselines import save
from tests.support.local_guest import LocalProvider

V = Verdict


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def verdicts(ended: Ended) -> dict[str, Verdict]:
    return {each.test.name: each.verdict for each in ended.verdict.tests}


DIFFERENT = {"always": V.OK, "both": V.KNOWN_FAILURE, "breaks": V.INCONCLUSIVE, "is-mended": V.FIXED}


def test_both_kernels_are_run_and_the_one_under_test_is_judged_beside_the_other(bench: Bench) -> None:
    ended = bench.start(lab())
    assert verdicts(ended) == DIFFERENT
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    assert ended.run.lab == "ab-dev"
    assert bench.runs() == [(1, "ab", RunState.COMPLETE), (2, "ab-dev", RunState.COMPLETE)]
    assert (ended.run.id, ended.run.record["compared_with"]) == (2, 1)
    assert bench.statuses(1) == {"always": "pass", "both": "fail", "breaks": "pass", "is-mended": "fail"}
    assert {name for name, _ in bench.providers["ab"].boots} == {"ab-1"}
    assert {name for name, _ in bench.providers["ab-dev"].boots} == {"ab-dev-1"}


def test_a_stored_run_is_judged_beside_its_baseline_arm_at_any_time(bench: Bench) -> None:
    ended = bench.start(lab())
    with Store(bench.dirs.state) as store:
        again = judge(store, store.run(2))
        assert again == ended.verdict
        assert again.arm
        assert again.arm.run.id == 1
        assert judge(store, store.run(1)).arm is None


def test_the_stored_baseline_still_counts(bench: Bench) -> None:
    flaky = Entry(Counts({Status.PASS: 7, Status.FAIL: 4}))
    series = ".".join(platform.release().split(".")[:2]).partition("-")[0]
    save(bench.path / "baselines", Baseline(series, {("commands", "default"): Table(series, {"breaks": flaky})}))
    assert verdicts(bench.start(lab())) == {**DIFFERENT, "breaks": V.KNOWN_FLAKE}


def test_a_lab_without_compare_is_one_run(bench: Bench) -> None:
    ended = bench.start(lab(compare=None))
    assert bench.runs() == [(1, "ab", RunState.COMPLETE)]
    assert "compared_with" not in ended.run.record
    assert verdicts(ended) == {"always": V.NEW, "both": V.INCONCLUSIVE, "breaks": V.INCONCLUSIVE, "is-mended": V.NEW}


def test_both_kernels_are_built_before_a_test_runs(bench: Bench) -> None:
    bench.start(lab())
    assert bench.built == ["ab", "ab-dev"], "a tree that is edited while the baseline runs is not what was asked for"


def test_a_part_of_the_tests_is_run_on_both(bench: Bench) -> None:
    ended = bench.start(lab(), only=["both", "always"])
    assert set(verdicts(ended)) == {"both", "always"}
    assert bench.statuses(1) == {"always": "pass", "both": "fail"}
    assert ended.verdict.exit_code is ExitCode.OK


def test_what_went_wrong_in_a_run_is_run_on_both(bench: Bench) -> None:
    bench.start(lab())
    ended = bench.start(lab(), failures_of=2, fresh_baseline=True)
    assert set(verdicts(ended)) == {"both", "breaks"}
    assert set(bench.statuses(3)) == {"both", "breaks"}


def test_tests_that_one_kernel_does_not_have(bench: Bench) -> None:
    bench.lacks = {"ab": {"breaks"}, "ab-dev": {"both"}}
    ended = bench.start(lab())
    assert set(bench.statuses(1)) == {"always", "is-mended"}
    assert verdicts(ended) == {"always": V.OK, "breaks": V.INCONCLUSIVE, "is-mended": V.FIXED}
    assert "only with the kernel under test: commands/default/breaks" in bench.watcher.notes


def test_a_baseline_kernel_that_has_none_of_the_tests_is_refused_before_anything_is_stored(bench: Bench) -> None:
    bench.lacks = {"ab": {"breaks"}}
    with pytest.raises(UserError, match="the baseline kernel has none of the selected tests: commands/default/breaks"):
        bench.start(lab(), only=["breaks"])
    assert bench.runs() == []


def test_kernels_that_do_not_differ_are_told(bench: Bench) -> None:
    bench.start(lab(compare={"kernel": {}}))
    assert any(note.startswith("both variants run the same kernel") for note in bench.watcher.notes)


def test_what_the_baseline_kernel_did_is_taken_from_the_store(bench: Bench) -> None:
    bench.start(lab())
    ended = bench.start(lab())
    assert verdicts(ended) == DIFFERENT
    assert [run[:2] for run in bench.runs()] == [(1, "ab"), (2, "ab-dev"), (3, "ab-dev")]
    assert ended.run.record["compared_with"] == 1
    assert any(note.startswith("run 1 of ") and "--fresh-baseline" in note for note in bench.watcher.notes)
    assert bench.start(lab(), fresh_baseline=True).run.record["compared_with"] == 4


def test_a_run_of_a_part_takes_its_baseline_from_a_run_of_all_but_not_the_other_way(bench: Bench) -> None:
    bench.start(lab())
    part = bench.start(lab(), only=["both"])
    assert part.run.record["compared_with"] == 1
    assert part.verdict.arm
    assert part.verdict.arm.counts == Counts({Status.FAIL: 1}), "only the tests of both are told"
    bench.start(lab(), only=["both"], fresh_baseline=True)
    assert bench.start(lab()).run.record["compared_with"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"compare": {"kernel": {"cmdline": ["old", "debug"]}}},
        {"guests": {"count": 1, "cpus": 1}},
        {"provider": {"accel": "tcg"}},
        {"suites": {"commands": {"tests": {**SCRIPTS, "both": "exit 2"}}}},
        {"suites": {"commands": {"tests": SCRIPTS, "timeout": 5}}},
    ],
)
def test_a_baseline_under_other_conditions_is_run_anew(bench: Bench, change: dict[str, Any]) -> None:
    bench.start(lab())
    ended = bench.start(lab(**change))
    assert ended.run.record["compared_with"] == 3


def test_a_baseline_of_another_kernel_is_run_anew(bench: Bench) -> None:
    bench.start(lab())
    bench.key = "another"
    assert bench.start(lab()).run.record["compared_with"] == 3


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("suites", "commands", "shell"), "dash"),  # a field that a suite is given one day
        (("suites", "blktests", "scale"), 2),  # a suite that there is one day
        (("suites", "blktests", "tests"), ["block/001"]),
        (("sandbox", "depth"), 3),
        (("kernel", "firmware"), "old"),
    ],
)
def test_what_nobody_said_only_chooses_tests_has_the_baseline_run_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], value: object
) -> None:
    bench.start(lab())
    record_of = session.record_of

    def with_more(*arguments: Any) -> dict[str, Any]:
        record = json.loads(json.dumps(record_of(*arguments)))
        section = record["lab"]
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
        return record

    with monkeypatch.context() as patch:
        patch.setattr(session, "record_of", with_more)
        assert bench.start(lab()).run.record["compared_with"] == 3, (
            "the store does not say what these options make of it"
        )
        assert bench.start(lab()).run.record["compared_with"] == 3
    assert bench.start(lab()).run.record["compared_with"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"guests": {"count": 2}},
        {"provider": {"ssh_port": 3000}},
        {"kernel": {"cmdline": ["new", "er"]}},
        {"suites": {"commands": {"tests": {"always": "true"}}}},
    ],
)
def test_what_does_not_concern_the_baseline_does_not_run_it_anew(bench: Bench, change: dict[str, Any]) -> None:
    bench.start(lab())
    assert bench.start(lab(**change)).run.record["compared_with"] == 1


def test_only_a_complete_run_is_taken_from_the_store(bench: Bench) -> None:
    bench.start(lab())
    with Store(bench.dirs.state) as store:
        first, rows = store.run(1), store.plan(1)
        (before, _) = arms_of(lab())
        assert reusable_run(store, before, rows, first.record) == first
        assert (
            reusable_run(store, before, [*rows, PlannedRow(TestId("commands", "default", "x"), 1)], first.record)
            is None
        )
        store.create_run("ab", rows, first.record)
        assert reusable_run(store, before, rows, first.record) == first
        assert reusable_run(store, before.model_copy(update={"name": "other"}), rows, first.record) is None
        store.update_record(1, {BUNDLED: True})
        assert reusable_run(store, before, rows, first.record) is None


def test_interrupted_in_the_baseline_arm_both_are_gone_on_with(bench: Bench) -> None:
    bench.watcher.breaks_at = ("both", "ab-1")
    with pytest.raises(Interrupted):
        bench.start(lab())
    states = bench.runs()
    assert [state for _, _, state in states] == [RunState.INTERRUPTED, RunState.PLANNED]
    done = bench.statuses(1)
    assert "both" not in done
    bench.watcher.plans.clear()
    ended = bench.resume(2)
    assert verdicts(ended) == DIFFERENT
    assert [run[2] for run in bench.runs()] == [RunState.COMPLETE] * 2
    assert set(bench.watcher.plans[0]).isdisjoint(done)


def test_resuming_the_baseline_arm_goes_on_with_the_one_that_waits_for_it(bench: Bench) -> None:
    bench.watcher.breaks_at = ("both", "ab-1")
    with pytest.raises(Interrupted):
        bench.start(lab())
    assert verdicts(bench.resume(1)) == DIFFERENT


def test_interrupted_in_the_arm_under_test_only_that_is_gone_on_with(bench: Bench) -> None:
    bench.watcher.breaks_at = ("both", "ab-dev-1")
    with pytest.raises(Interrupted):
        bench.start(lab())
    assert [state for _, _, state in bench.runs()] == [RunState.COMPLETE, RunState.INTERRUPTED]
    bench.built.clear()
    assert verdicts(bench.resume(2)) == DIFFERENT
    assert bench.built == ["ab-dev"]
    with pytest.raises(UserError, match="run 1 has ended"):
        bench.resume(1)


def test_a_rerun_of_the_one_under_test_is_compared_with_the_same_run(bench: Bench) -> None:
    bench.start(lab())
    ended = bench.rerun(2)
    assert (ended.run.id, ended.run.lab, ended.run.record["compared_with"]) == (3, "ab-dev", 1)
    assert verdicts(ended) == DIFFERENT
    again = bench.rerun(1)
    assert (again.run.lab, again.verdict.arm) == ("ab", None)


def test_a_baseline_kernel_that_does_not_boot_leaves_the_run_incomplete(bench: Bench) -> None:
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab", refuse=99)
    ended = bench.start(lab({"always": "true"}))
    assert bench.runs() == [(1, "ab", RunState.INTERRUPTED), (2, "ab-dev", RunState.COMPLETE)]
    assert verdicts(ended) == {"always": V.NEW}
    assert ended.verdict.complete
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE


def test_the_run_under_test_is_not_begun_while_somebody_has_its_lab(bench: Bench) -> None:
    with (
        lab_lock(bench.dirs.lab("ab-dev"), "ab-dev", "up"),
        pytest.raises(UserError, match="lab ab-dev is in use by `kdevops up`"),
    ):
        bench.start(lab())
    assert bench.built == []


def test_the_record_of_each_arm_is_a_lab_of_its_own(bench: Bench) -> None:
    ended = bench.start(lab())
    with Store(bench.dirs.state) as store:
        runs = [store.run(number) for number in (1, 2)]
    labs = [lab_of(run) for run in runs]
    assert labs == list(arms_of(lab()))
    assert json.loads(json.dumps(ended.run.record)) == ended.run.record
