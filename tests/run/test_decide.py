"""Decisions by reruns: real shell scripts on two kernels, in guests that are this machine."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.errors import ExitCode, UserError
from kdevops.results.baselines import baseline
from kdevops.results.baselines.baseline import Baseline, Entry, Table
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, Status, TestId
from kdevops.results.reruns import SIDE, TURN
from kdevops.results.store import Store
from kdevops.results.unwatched import Unwatched
from kdevops.run.judging import judge
from tests.support.arms_bench import Bench, Interrupted, new_only
from tests.support.arms_bench import two_arms as lab
from tests.support.baselines import save
from tests.support.local_guest import LocalGuest, LocalProvider

V = Verdict


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def every(path: Path, times: int) -> str:
    """A script that fails the first time, then once in so many times, on each kernel by itself."""
    count = f"{path}/count-$KERNEL"
    return f"n=$(cat {count} 2>/dev/null || echo 0); echo $((n + 1)) > {count}; [ $((n % {times})) != 0 ]"


def stored(bench: Bench, **tests: Counts) -> None:
    series = baseline.series_of(platform.release())
    entries = {name: Entry(counts) for name, counts in tests.items()}
    save(bench.path / "baselines", Baseline(series, {("commands", "default"): Table(series, entries)}))


def test_a_failure_of_the_kernel_under_test_alone_has_regressed(bench: Bench) -> None:
    bench.start(lab({"always": "true", "breaks": new_only("false")}))
    ended = bench.decide(2)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {"always": V.OK, "breaks": V.REGRESSED}
    assert ended.verdict.exit_code is ExitCode.REGRESSION
    found = next(each for each in ended.verdict.tests if each.test.name == "breaks").decided
    assert found
    assert (found.before, found.now) == ((0, 3), (3, 3))


def test_only_what_was_selected_runs_again_on_both_kernels_in_turn(bench: Bench) -> None:
    bench.start(lab({"always": "true", "both": "false", "breaks": new_only("false")}))
    bench.decide(2)
    with Store(bench.dirs.state) as store:
        again = store.deciding(2)
        assert [(each.record[SIDE], each.record[TURN]) for each in again] == [
            *(("baseline", 1), ("now", 1)),
            *(("now", 2), ("baseline", 2)),
            *(("baseline", 3), ("now", 3)),
        ]
        assert {test.name for each in again for test in store.outcomes(each.id)} == {"breaks"}
        assert [run.id for run in store.runs()] == [2, 1], "reruns are not among the runs"


def test_each_result_is_of_a_fresh_guest(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start(lab({"breaks": new_only("false")}), persist=True)
    stopped: list[str] = []
    down = LocalGuest.down

    async def told(guest: LocalGuest) -> None:
        stopped.append(guest.name)
        await down(guest)

    monkeypatch.setattr(LocalGuest, "down", told)
    bench.decide(2)
    kept = ["ab-1", "ab-dev-1"]
    assert stopped == [*kept, "ab-1", "ab-dev-1", "ab-dev-1", "ab-1", "ab-1", "ab-dev-1"]


def test_a_failure_that_only_the_kernel_under_test_has_is_decided_without_the_other(bench: Bench) -> None:
    bench.lacks["ab"] = {"alone"}
    bench.start(lab({"alone": "false", "always": "true", "breaks": new_only("false")}))
    ended = bench.decide(2, 40)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {
        "alone": V.INCONCLUSIVE,
        "always": V.OK,
        "breaks": V.REGRESSED,
    }


def test_of_more_failures_than_the_budget_has_room_for_some_are_decided_instead_of_none(bench: Bench) -> None:
    bench.start(lab({f"breaks-{number}": new_only("false") for number in range(6)}))
    ended = bench.decide(2, 10)
    with Store(bench.dirs.state) as store:
        assert store.results_deciding(2) == 10
    assert [each.test.name for each in ended.verdict.of(V.REGRESSED)] == ["breaks-0"]
    assert [each.test.name for each in ended.verdict.undecided] == [f"breaks-{number}" for number in range(1, 6)]


def test_a_test_without_an_answer_keeps_no_other_from_a_decision(bench: Bench, tmp_path: Path) -> None:
    once = f'[ "$KERNEL" = old ] || exit 1; [ ! -e {tmp_path}/ran ] || exit 4; touch {tmp_path}/ran'
    bench.start(lab({"a-odd": once, "breaks": new_only("false")}))
    ended = bench.decide(2)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {
        "a-odd": V.INCONCLUSIVE,
        "breaks": V.REGRESSED,
    }
    with Store(bench.dirs.state) as store:
        ran = [test.name for each in store.deciding(2) for test in store.outcomes(each.id)]
    assert ran.count("a-odd") == 6, "three turns without an answer are enough"


def test_where_nothing_is_open_or_to_be_spent_nothing_is_built(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}))
    bench.gone = {"ab", "ab-dev"}
    assert bench.decide(2, 0).verdict.exit_code is ExitCode.INCOMPLETE
    assert bench.watcher.notes[-1] == "no budget for reruns; still open: commands/default/breaks"
    bench.gone = set()
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION
    bench.gone = {"ab", "ab-dev"}
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION
    assert bench.watcher.notes[-1] == "all is decided"


def test_a_rerun_whose_kernel_messages_could_not_be_read_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.start(lab({"flaky": new_only(every(tmp_path, 1000))}, verdict={"smallest": 0.5}))
    assert bench.decide(2).verdict.exit_code is ExitCode.OK
    with Store(bench.dirs.state) as store:
        now = next(each for each in store.deciding(2) if each.record[SIDE] == "now")
        store.update_record(now.id, Unwatched().with_test(TestId("commands", "default", "flaky")).as_record())
        assert judge(store, store.run(2)).exit_code is ExitCode.INCOMPLETE


def test_accepting_a_flake_counts_its_reruns_too(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    bench.start(lab({"flaky": every(tmp_path, 1000)}, compare=None, verdict={"smallest": 0.5, "probation": 0}))
    assert [each.verdict for each in bench.decide(1).verdict.tests] == [V.FLAKE]
    assert main(["baseline", "accept", "1"]) == 0, capsys.readouterr().err
    known = baseline.load(bench.path / "baselines", platform.release()).entry(TestId("commands", "default", "flaky"))
    assert known
    with Store(bench.dirs.state) as store:
        passes = len(store.deciding(1))
    assert known.counts == Counts({Status.PASS: passes, Status.FAIL: 1})
    ended = bench.start(lab({"flaky": "false"}, compare=None))
    assert [each.verdict for each in ended.verdict.tests] == [V.INCONCLUSIVE], "one old failure excuses nothing"


def test_a_budget_is_that_of_one_call(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}, verdict={"rerun": {"count": 4}}))
    assert bench.decide(2).verdict.exit_code is ExitCode.INCOMPLETE
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION


def test_a_time_that_is_over_begins_no_turn(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}, verdict={"rerun": {"time": 0}}))
    assert bench.decide(2).verdict.exit_code is ExitCode.INCOMPLETE
    with Store(bench.dirs.state) as store:
        assert store.deciding(2) == ()


def test_reruns_leave_the_usual_durations_alone(bench: Bench, tmp_path: Path) -> None:
    bench.start(lab({"flaky": new_only(every(tmp_path, 1000)), "slow": "sleep 0.2"}))
    bench.decide(2)
    with Store(bench.dirs.state) as store:
        assert store.history("ab-dev", [TestId("commands", "default", "slow")])


def test_a_test_that_failed_once_by_chance_is_a_flake_and_green(bench: Bench, tmp_path: Path) -> None:
    bench.start(lab({"flaky": new_only(every(tmp_path, 1000)), "always": "true"}))
    ended = bench.decide(2)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {"always": V.OK, "flaky": V.FLAKE}
    assert ended.verdict.exit_code is ExitCode.OK
    (flaky,) = ended.verdict.of(V.FLAKE)
    assert flaky.decided
    assert flaky.decided.runs <= 25


def test_a_test_that_fails_as_often_on_both_kernels_is_a_flake(bench: Bench, tmp_path: Path) -> None:
    first = f'[ "$KERNEL" = new ] || [ -e {tmp_path}/later ] || {{ touch {tmp_path}/later; exit 0; }}; '
    bench.start(lab({"flaky": first + every(tmp_path, 4)}, verdict={"smallest": 0.5}))
    ended = bench.decide(2)
    assert [each.verdict for each in ended.verdict.tests] == [V.FLAKE]


def test_a_budget_that_is_used_up_leaves_it_open_and_it_goes_on_later(bench: Bench, tmp_path: Path) -> None:
    bench.start(lab({"flaky": new_only(every(tmp_path, 1000))}))
    ended = bench.decide(2, 7)
    assert [each.verdict for each in ended.verdict.tests] == [V.INCONCLUSIVE]
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    assert any("budget" in note for note in bench.watcher.notes)
    with Store(bench.dirs.state) as store:
        assert len(store.deciding(2)) == 6
    ended = bench.decide(2)
    assert [each.verdict for each in ended.verdict.tests] == [V.FLAKE]


def test_a_budget_of_nothing_runs_nothing(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}))
    ended = bench.decide(2, 0)
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    with Store(bench.dirs.state) as store:
        assert store.deciding(2) == ()


@pytest.mark.parametrize("at", ["ab-1", "ab-dev-1"])
def test_a_decision_that_is_killed_goes_on(bench: Bench, at: str) -> None:
    bench.start(lab({"breaks": new_only("false")}))
    provider = bench.providers["ab" if at == "ab-1" else "ab-dev"]
    calls = [0]

    async def dies(self: LocalProvider, name: str, **options: object) -> object:
        calls[0] += 1
        raise Interrupted

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(provider, "up", dies.__get__(provider), raising=False)
        with pytest.raises(Interrupted):
            bench.decide(2)
    assert calls[0]
    ended = bench.decide(2)
    assert [each.verdict for each in ended.verdict.tests] == [V.REGRESSED]
    with Store(bench.dirs.state) as store:
        assert all(each.ended for each in store.deciding(2))


def test_without_a_baseline_kernel_the_stored_counts_decide(bench: Bench) -> None:
    stored(bench, breaks=Counts({Status.PASS: 9, Status.FAIL: 1}), always=Counts({Status.PASS: 7}))
    bench.start(lab({"breaks": "false", "always": "true"}, compare=None))
    ended = bench.decide(1)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {"always": V.OK, "breaks": V.REGRESSED}
    assert ended.verdict.exit_code is ExitCode.REGRESSION


def test_with_nothing_stored_it_stays_open(bench: Bench) -> None:
    bench.start(lab({"breaks": "false"}, compare=None))
    ended = bench.decide(1, 20)
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    assert [each.verdict for each in ended.verdict.tests] == [V.INCONCLUSIVE]
    few = "hardly any results of these tests are stored, and no other kernel runs: commands/default/breaks"
    assert f"{few}; `compare` in the lab, or results that are accepted, would decide" in bench.watcher.notes
    assert not [note for note in bench.watcher.notes if "run again" in note]
    with Store(bench.dirs.state) as store:
        assert store.results_deciding(1) == 0, "no number of reruns could decide"


@pytest.mark.parametrize(("probation", "verdict"), [(7, V.INCONCLUSIVE), (6, V.REGRESSED)])
def test_what_is_stored_accuses_nobody_while_the_test_is_on_probation(
    bench: Bench, probation: int, verdict: Verdict
) -> None:
    stored(bench, breaks=Counts({Status.PASS: 6, Status.FAIL: 1}))
    ended = bench.start(lab({"breaks": "false"}, compare=None, verdict={"probation": probation}))
    assert [each.verdict for each in bench.decide(ended.run.id).verdict.tests] == [verdict]
    assert any("on probation" in note for note in bench.watcher.notes) is (verdict is V.INCONCLUSIVE)


def test_a_baseline_kernel_that_cannot_be_had_now_leaves_the_decision_open(bench: Bench) -> None:
    stored(bench, breaks=Counts({Status.PASS: 10}))
    first = bench.start(lab({"breaks": new_only("false")}))
    bench.gone = {"ab"}
    assert bench.decide_after(first).verdict.exit_code is ExitCode.INCOMPLETE
    assert bench.watcher.notes[-1] == "its failures could not be decided: the kernel of ab is gone"
    with pytest.raises(UserError, match="the kernel of ab is gone"):
        bench.decide(2)
    bench.gone = set()
    assert [each.verdict for each in bench.decide(2).verdict.tests] == [V.REGRESSED], "nothing was fixed meanwhile"


def test_a_decision_on_both_kernels_does_not_go_on_with_one(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}))
    bench.decide(2, 2)
    bench.gone = {"ab"}
    with pytest.raises(UserError, match="the kernel of ab is gone"):
        bench.decide(2)
    bench.gone = set()
    assert [each.verdict for each in bench.decide(2).verdict.tests] == [V.REGRESSED]


def test_where_nothing_ran_on_the_baseline_kernel_the_stored_counts_decide(bench: Bench) -> None:
    stored(bench, breaks=Counts({Status.PASS: 10}), always=Counts({Status.PASS: 10}))
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab", refuse=99)
    first = bench.start(lab({"breaks": new_only("false"), "always": "true"}))
    bench.providers["ab"].boots.clear()
    ended = bench.decide_after(first, (1, None))
    assert [each.verdict for each in ended.verdict.tests if each.test.name == "breaks"] == [V.INCONCLUSIVE]
    assert "nothing ran on the baseline kernel (run 1): the counts in the baseline decide" in bench.watcher.notes
    bench.gone = {"ab"}  # it is not asked for again
    ended = bench.decide(2)
    (breaks,) = ended.verdict.of(V.REGRESSED)
    assert breaks.decided
    assert breaks.decided.before == (0, 10)
    assert bench.providers["ab"].boots == []
    with Store(bench.dirs.state) as store:
        assert store.run(2).record["decision"]["tests"]["commands/default/breaks"]["beside"] is False
        assert {each.record[SIDE] for each in store.deciding(2)} == {"now"}


def test_the_lab_sets_the_rule_and_the_budget(bench: Bench, tmp_path: Path) -> None:
    rules = {"smallest": 0.5, "rerun": {"count": 30}}
    bench.start(lab({"flaky": new_only(every(tmp_path, 1000))}, verdict=rules))
    ended = bench.decide(2)
    assert [each.verdict for each in ended.verdict.tests] == [V.FLAKE]
    with Store(bench.dirs.state) as store:
        assert store.run(2).record["decision"]["smallest"] == 0.5
        assert len(store.deciding(2)) <= 20


def test_where_nothing_is_unknown_nothing_runs(bench: Bench) -> None:
    bench.start(lab({"always": "true", "both": "false"}))
    ended = bench.decide(2)
    assert ended.verdict.exit_code is ExitCode.OK
    assert any("have nothing to decide" in note for note in bench.watcher.notes)


def test_a_run_that_has_not_ended_or_only_decides_is_refused(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("false")}))
    bench.decide(2)
    with Store(bench.dirs.state) as store:
        rerun = store.deciding(2)[0].id
        unfinished = store.create_run("ab", store.plan(2), store.run(2).record)
    with pytest.raises(UserError, match="helps to decide run 2"):
        bench.decide(rerun)
    with pytest.raises(UserError, match="has not ended"):
        bench.decide(unfinished)
    with pytest.raises(UserError, match="helps to decide run 2"):
        bench.resume(rerun)


def test_accepting_what_was_stored_later_does_not_change_the_selection(bench: Bench) -> None:
    ended = bench.start(lab({"breaks": new_only("false")}))
    bench.decide(2, 2)
    series = ended.verdict.series
    save(
        Path(ended.run.record["baseline"]),
        Baseline(series, {("commands", "default"): Table(series, {"breaks": Entry(Counts({Status.FAIL: 50}))})}),
    )
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION


def test_ids_in_the_record_are_read_back(bench: Bench) -> None:
    bench.start(lab({"a/b c": new_only("false")}))
    assert bench.decide(2).verdict.of(V.REGRESSED)[0].test == TestId("commands", "default", "a/b c")
