"""What a decision leaves alone: another one that is running, an earlier run's, and runs that go on."""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.errors import BootError, ExitCode, KdevopsError, UserError
from kdevops.report.next_steps import next_steps
from kdevops.results.baselines import baseline
from kdevops.results.compare import Verdict
from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.reruns import DECISION
from kdevops.results.store import Store
from kdevops.run import decide
from kdevops.run.judging import judge
from tests.run.test_decide import bench, stored
from tests.support.arms_bench import Bench, Interrupted, new_only
from tests.support.arms_bench import two_arms as lab
from tests.support.local_guest import LocalProvider

__all__ = ["bench"]
V = Verdict


def test_a_second_decision_is_refused_and_does_no_harm_to_the_first(bench: Bench) -> None:
    bench.start(lab({"breaks": new_only("sleep 0.5; false")}))

    async def both() -> Verdict:
        first = asyncio.create_task(decide.decide(2, None, bench.dirs, bench.watcher))
        while True:
            await asyncio.sleep(0.05)
            with Store(bench.dirs.state) as store:
                if any(each.state is RunState.RUNNING for each in store.deciding(2)):
                    break
        with pytest.raises(KdevopsError, match="lab ab"):
            await decide.decide(2, (0, None), bench.dirs, bench.watcher)
        return next(each.verdict for each in (await first).verdict.tests)

    assert asyncio.run(both()) is V.REGRESSED


def test_a_rerun_has_a_decision_of_its_own(bench: Bench, tmp_path: Path) -> None:
    late = tmp_path / "late"
    bench.start(lab({"old": new_only(f"[ -e {late} ]"), "young": new_only(f"[ ! -e {late} ]")}))
    bench.decide(2)
    late.touch()
    again = bench.rerun(2)
    assert DECISION not in again.run.record
    ended = bench.decide(again.run.id)
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {"old": V.OK, "young": V.REGRESSED}


def test_a_kernel_that_does_not_boot_for_a_rerun_is_told_and_never_green(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start(lab({"flaky": new_only("false"), "other": "true"}))
    provider, up = bench.providers["ab-dev"], LocalProvider.up

    async def dies(self: LocalProvider, name: str, **options: object) -> object:
        raise BootError(f"guest {name}: no answer", unanswered=True)

    with monkeypatch.context() as patched:
        patched.setattr(provider, "up", dies.__get__(provider))
        ended = bench.decide(2)
    assert ended.verdict.boot_failure
    assert ended.verdict.exit_code is ExitCode.REGRESSION
    assert up is LocalProvider.up


def test_while_the_baseline_kernels_run_is_open_nothing_is_decided(bench: Bench) -> None:
    bench.start(lab({"aa": new_only("false"), "bb": new_only("false")}))
    with Store(bench.dirs.state) as store:
        beside = store.create_run("ab", store.plan(1), store.run(1).record)
        store.started(beside, TestId("commands", "default", "aa"), "g")
        store.ended(beside, TestId("commands", "default", "aa"), Outcome(Status.PASS))
        store.interrupt(beside)
        store.update_record(2, {"compared_with": beside})
        steps = next_steps(store.run(2), judge(store, store.run(2)))
    assert [step for step, _ in steps] == ["see why", "continue"]
    with pytest.raises(UserError, match="of the baseline kernel, has not ended") as caught:
        bench.decide(2)
    assert caught.value.hint == f"continue it first: kdevops resume {beside}"
    with Store(bench.dirs.state) as store:
        assert DECISION not in store.run(2).record


def test_a_run_that_goes_on_is_not_to_be_decided(bench: Bench) -> None:
    bench.start(lab({"aa": "false", "bb": "true"}, compare=None))
    with Store(bench.dirs.state) as store:
        number = store.create_run("ab", store.plan(1), store.run(1).record)
        test = TestId("commands", "default", "aa")
        store.started(number, test, "g")
        store.ended(number, test, Outcome(Status.FAIL))
        store.interrupt(number)
        steps = next_steps(store.run(number), judge(store, store.run(number)))
    assert [step for step, _ in steps] == ["see why", "continue"]


def test_accepting_takes_what_reruns_found_and_not_that_they_skipped(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    stored(bench, flaky=Counts({Status.PASS: 20}))
    count = tmp_path / "n"
    script = (
        f"n=$(cat {count} 2>/dev/null || echo 0); echo $((n+1)) > {count}; [ $n != 0 ] || exit 1; [ $n != 1 ] || exit 4"
    )
    bench.start(lab({"flaky": script}, compare=None))
    bench.decide(1)
    stray = {"kind": "WARNING", "signature": "WARNING in foo", "title": "WARNING in foo", "gates": True}
    with Store(bench.dirs.state) as store:
        last = store.deciding(1)[-1]
        store.update_record(last.id, {STRAY_REPORTS: [{**stray, "text": "", "guest": "g", "when": "at boot"}]})
        assert judge(store, store.run(1)).exit_code is ExitCode.REGRESSION
    assert main(["baseline", "accept", "1"]) == 0
    root = bench.path / "baselines" / baseline.series_of(platform.release())
    assert "WARNING in foo\n" in (root / "reports.txt").read_text()
    known = baseline.load(bench.path / "baselines", platform.release()).entry(TestId("commands", "default", "flaky"))
    assert known
    assert known.counts.counts.keys() == {Status.PASS, Status.FAIL}
    with Store(bench.dirs.state) as store:
        assert not judge(store, store.run(1), anew=True).troubles
    now = bench.start(lab({"flaky": "exit 4", "other": "true"}, compare=None)).verdict
    assert [each.verdict for each in now.tests if each.test.name == "flaky"] == [V.SKIPPED_NOW]


def test_a_baseline_kernel_that_runs_after_the_decision_is_asked(bench: Bench) -> None:
    stored(bench, both=Counts({Status.PASS: 30}), breaks=Counts({Status.PASS: 30}), old=Counts({Status.FAIL: 9}))
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab", refuse=99)
    bench.start(lab({"both": "false", "breaks": new_only("false"), "old": new_only("false")}))
    alone = {each.test.name: each.verdict for each in bench.decide(2).verdict.tests}
    assert alone == {"both": V.REGRESSED, "breaks": V.REGRESSED, "old": V.KNOWN_FAILURE}
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab")
    bench.resume(1)
    with Store(bench.dirs.state) as store:
        verdict = judge(store, store.run(2))
        assert ("decide", "kdevops decide 2") in next_steps(store.run(2), verdict)
    assert {each.test.name: each.verdict for each in verdict.tests} == dict.fromkeys(alone, V.INCONCLUSIVE)
    ended = bench.decide(2).verdict
    assert {each.test.name: each.verdict for each in ended.tests} == {
        "both": V.FLAKE,
        "breaks": V.REGRESSED,
        "old": V.REGRESSED,
    }
    assert all(
        each.decided and each.decided.before[0] == (each.decided.now[0] if each.test.name == "both" else 0)
        for each in ended.tests
    )


def test_what_stored_counts_decided_does_not_stand_while_the_baseline_kernels_run_goes_on(bench: Bench) -> None:
    passes = Counts({Status.PASS: 30})
    stored(bench, aa=passes, breaks=passes, zz=passes)
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab", refuse=99)
    bench.start(lab({"aa": "false", "breaks": new_only("false"), "zz": "true"}))
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION
    bench.providers["ab"] = LocalProvider(bench.path / "guests" / "ab")
    bench.watcher.breaks_at = ("zz", "ab-1")
    with pytest.raises(Interrupted):
        bench.resume(1)
    with Store(bench.dirs.state) as store:
        verdict = judge(store, store.run(2))
        assert [step for step, _ in next_steps(store.run(2), verdict)] == ["see why", "continue"]
    found = {each.test.name: each.verdict for each in verdict.tests}
    assert (found["breaks"], found["zz"]) == (V.INCONCLUSIVE, V.OK)
    assert found["aa"] in {V.INCONCLUSIVE, V.KNOWN_FAILURE}, "it fails there, too"
    assert verdict.exit_code is ExitCode.INCOMPLETE
    assert not any(each.decided for each in verdict.tests)
    bench.resume(1)
    assert {each.test.name: each.verdict for each in bench.decide(2).verdict.tests}["breaks"] is V.REGRESSED
