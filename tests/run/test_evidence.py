"""A run is judged by the baseline as it was: what is accepted later changes nothing, unless one asks."""

from __future__ import annotations

import asyncio
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kdevops.__main__ import main
from kdevops.errors import ExitCode, UserError
from kdevops.results.baselines.baseline import Baseline, series_of
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict
from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.model import Counts, Status
from kdevops.results.store import Store
from kdevops.run import session
from kdevops.run.evidence import keep_evidence
from kdevops.run.judging import judge
from tests.support.arms_bench import Bench, Interrupted
from tests.support.arms_bench import two_arms as lab
from tests.support.baselines import save

V = Verdict
SERIES = series_of(platform.release())
PASSES, FAILS = Entry(Counts({Status.PASS: 5})), Entry(Counts({Status.FAIL: 5}))
SINGLE = lab({"breaks": "false", "always": "true"}, compare=None)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def known(bench: Bench, **tests: Entry) -> None:
    save(bench.path / "baselines", Baseline(SERIES, {("commands", "default"): Table(SERIES, tests)}))


def verdicts(bench: Bench, run: int = 1, *, anew: bool = False) -> dict[str, Verdict]:
    with Store(bench.dirs.state) as store:
        return {each.test.name: each.verdict for each in judge(store, store.run(run), anew=anew).tests}


def test_what_is_accepted_later_does_not_excuse_what_was_unknown(bench: Bench) -> None:
    known(bench, breaks=PASSES, always=PASSES)
    ended = bench.start(SINGLE)
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    known(bench, breaks=FAILS, always=PASSES)
    assert verdicts(bench) == {"breaks": V.INCONCLUSIVE, "always": V.OK}
    assert verdicts(bench, anew=True) == {"breaks": V.KNOWN_FAILURE, "always": V.OK}


def test_a_run_that_was_killed_at_its_very_end_is_judged_by_the_baseline_of_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(bench, breaks=PASSES, always=PASSES)
    keep, calls = session.keep_evidence, []

    async def killed_the_second_time(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        await keep(*arguments, **options)

    monkeypatch.setattr(session, "keep_evidence", killed_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        bench.start(SINGLE)
    known(bench, breaks=FAILS, always=PASSES)
    assert verdicts(bench) == {"breaks": V.INCONCLUSIVE, "always": V.OK}
    assert verdicts(bench, anew=True) == {"breaks": V.KNOWN_FAILURE, "always": V.OK}


def test_what_is_accepted_later_does_not_turn_a_red_run_green(bench: Bench) -> None:
    known(bench, breaks=PASSES, always=PASSES)
    bench.start(SINGLE)
    assert bench.decide(1).verdict.exit_code is ExitCode.REGRESSION
    known(bench, breaks=FAILS, always=PASSES)
    assert verdicts(bench) == {"breaks": V.REGRESSED, "always": V.OK}
    assert verdicts(bench, anew=True) == {"breaks": V.KNOWN_FAILURE, "always": V.OK}, "as if it ran now"


def test_what_changed_is_told_when_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, breaks=PASSES, always=PASSES)
    bench.start(SINGLE)
    known(bench, breaks=FAILS, always=PASSES)
    assert main(["results", "1"]) == 4
    assert "Judged anew" not in capsys.readouterr().out
    assert main(["results", "1", "--judge"]) == 0
    assert capsys.readouterr().out.endswith(
        "Judged anew: 1 verdict changed, exit code 4, now 0\n  commands/default/breaks: inconclusive, now known-failure\n"
    )
    assert main(["results", "1", "--judge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == {
        "exit_code_before": 4,
        "tests": [
            {
                "suite": "commands",
                "profile": "default",
                "name": "breaks",
                "before": "inconclusive",
                "now": "known-failure",
            }
        ],
        "reports": [],
        "not_planned": [],
    }


def test_a_baseline_that_cannot_be_read_is_told_until_it_is_mended(bench: Bench) -> None:
    known(bench, breaks=FAILS)
    table = bench.path / "baselines" / SERIES / "commands/default.txt"
    right = table.read_text()
    bench.start(SINGLE)
    with Store(bench.dirs.state) as store:
        number = store.create_run("ab", store.plan(1), store.run(1).record)
        store.finish(number)
        table.write_text("<<<<<<< mine\n" + right)
        asyncio.run(keep_evidence(store, number))
        assert store.evidence(number) is None
        with pytest.raises(UserError, match="conflict"):
            judge(store, store.run(number))
        table.write_text(right)
        asyncio.run(keep_evidence(store, number))
        assert store.evidence(number) is not None


def test_the_commit_of_the_baseline_is_kept(bench: Bench) -> None:
    known(bench, breaks=FAILS)
    git = ["git", "-C", str(bench.path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "baselines"], ["commit", "-qm", "baseline"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True
    ).stdout
    assert bench.start(SINGLE).verdict.judged_by.startswith(f"commit {commit.strip()}, ")
    known(bench, breaks=PASSES)
    assert bench.start(SINGLE).verdict.judged_by.startswith(f"commit {commit.strip()} with changes, ")


async def kept_by_nobody(*_: Any, **__: Any) -> None:
    """As by an older kdevops, or while the baseline could not be read."""


def test_a_run_without_a_baseline_of_its_own_keeps_the_one_by_which_it_is_shown_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, breaks=PASSES, always=PASSES)
    with monkeypatch.context() as patched:
        patched.setattr(session, "keep_evidence", kept_by_nobody)
        bench.start(SINGLE)
    assert main(["results", "1", "--judge"]) == 4
    with Store(bench.dirs.state) as store:
        assert store.evidence(1) is None, "that is for once"
    assert main(["results", "1"]) == 4
    known(bench, breaks=FAILS, always=PASSES)
    assert main(["results", "1"]) == 4
    assert main(["results", "1", "--judge"]) == 0


def test_a_list_by_verdict_keeps_the_baseline_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, breaks=PASSES, always=PASSES)
    with monkeypatch.context() as patched:
        patched.setattr(session, "keep_evidence", kept_by_nobody)
        bench.start(SINGLE)
    assert main(["results", "1", "--test", "breaks"]) == 0
    with Store(bench.dirs.state) as store:
        assert store.evidence(1) is None, "it says how the test ended, and no verdict"
    assert main(["results", "1", "--list", "inconclusive"]) == 0
    assert "commands/default/breaks" in capsys.readouterr().out
    known(bench, breaks=FAILS, always=PASSES)
    assert main(["results", "1"]) == 4


def test_a_run_that_is_ended_is_judged_by_the_baseline_of_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    known(bench, breaks=PASSES, always=PASSES)
    bench.watcher.breaks_at = ("always", "ab-1")
    with pytest.raises(Interrupted):
        bench.start(SINGLE)
    known(bench, breaks=FAILS, always=PASSES)
    asyncio.run(session.end(1, bench.dirs))
    known(bench, breaks=PASSES, always=PASSES)
    assert verdicts(bench) == {"breaks": V.KNOWN_FAILURE, "always": V.MISSING}


def test_accepting_a_run_without_a_baseline_of_its_own_does_not_excuse_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, breaks=PASSES, always=PASSES)
    with monkeypatch.context() as patched:
        patched.setattr(session, "keep_evidence", kept_by_nobody)
        bench.start(SINGLE)
    assert main(["baseline", "accept", "1", "--replace"]) == 0
    assert main(["results", "1"]) == 4
    assert main(["results", "1", "--judge"]) == 0


def test_a_conflict_among_the_accepted_runs_is_told_before_anything_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, always=PASSES, gone=PASSES)
    accepted = bench.path / "baselines" / SERIES / "accepted.txt"
    accepted.write_text("<<<<<<< mine\n")
    with pytest.raises(UserError, match="conflict"):
        bench.start(lab({"always": "true"}, compare=None))
    with Store(bench.dirs.state) as store:
        assert not store.runs()
    accepted.unlink()
    assert bench.start(lab({"always": "true"}, compare=None)).verdict.exit_code is ExitCode.INCOMPLETE


def test_a_conflict_among_the_accepted_runs_is_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, always=PASSES, gone=PASSES)
    with monkeypatch.context() as patched:
        patched.setattr(session, "keep_evidence", kept_by_nobody)
        bench.start(lab({"always": "true"}, compare=None))
    accepted = bench.path / "baselines" / SERIES / "accepted.txt"
    accepted.write_text("<<<<<<< mine\n")
    assert main(["results", "1"]) == 2
    accepted.unlink()
    assert main(["results", "1"]) == 4


def test_what_changed_beside_the_verdicts_of_tests_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    known(bench, always=PASSES, gone=PASSES)
    bench.start(lab({"always": "true"}, compare=None))
    report = {"kind": "WARNING", "signature": "WARNING in foo", "title": "WARNING in foo", "gates": True, "text": ""}
    with Store(bench.dirs.state) as store:
        store.update_record(1, {STRAY_REPORTS: [{**report, "guest": "ab-1", "when": "at boot"}]})
    assert main(["results", "1"]) == 1
    known(bench, always=PASSES)
    (bench.path / "baselines" / SERIES / "reports.txt").write_text("WARNING in foo\n")
    capsys.readouterr()
    assert main(["results", "1", "--judge"]) == 0
    assert capsys.readouterr().out.endswith(
        "Judged anew: 0 verdicts changed, exit code 1, now 0\n"
        "  kernel report WARNING in foo: not known, now known\n"
        "  commands/default/gone, not planned: coverage is lost, now no coverage is lost\n"
    )
    assert main(["results", "1", "--judge", "--json"]) == 0
    changed = json.loads(capsys.readouterr().out)["changed"]
    assert changed["reports"] == [{"signature": "WARNING in foo", "known": True}]
    assert changed["not_planned"] == [{"test": "commands/default/gone", "lost": False}]


@pytest.mark.parametrize("other", [("--test", "breaks"), ("--list", "fail")])
def test_what_is_not_judged_is_not_judged_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, other: tuple[str, str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    bench.start(SINGLE)
    assert main(["results", "1", *other]) == 0
    assert main(["results", "1", *other, "--judge"]) == 2
