"""What a run does at its end about failures that nobody knows, and what the command line makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kdevops.__main__ import main
from kdevops.errors import ExitCode
from kdevops.results.compare import Verdict
from kdevops.results.reruns import SIDE
from kdevops.results.store import Store
from tests.support.arms_bench import Bench, Interrupted, new_only
from tests.support.arms_bench import two_arms as lab

V = Verdict


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_run_that_has_just_ended_is_decided(bench: Bench) -> None:
    ended = bench.decide_after(bench.start(lab({"breaks": new_only("false")})))
    assert [each.verdict for each in ended.verdict.tests] == [V.REGRESSED]


def test_a_run_that_was_gone_on_with_is_decided(bench: Bench) -> None:
    bench.watcher.breaks_at = ("later", "ab-dev-1")
    with pytest.raises(Interrupted):
        bench.start(lab({"breaks": new_only("false"), "later": "true"}))
    ended = bench.decide_after(bench.resume(2))
    assert {each.test.name: each.verdict for each in ended.verdict.tests} == {"breaks": V.REGRESSED, "later": V.OK}


def test_a_lab_that_wants_no_reruns_has_them_only_when_asked(bench: Bench) -> None:
    first = bench.start(lab({"breaks": new_only("false")}, verdict={"rerun": "off"}))
    assert bench.decide_after(first) is first
    assert first.verdict.exit_code is ExitCode.INCOMPLETE
    assert bench.decide_after(first, (40, None)).verdict.exit_code is ExitCode.REGRESSION


def test_what_a_run_may_cost_goes_before_what_its_lab_says(bench: Bench) -> None:
    ended = bench.decide_after(bench.start(lab({"breaks": new_only("false")})), (2, None))
    assert ended.verdict.exit_code is ExitCode.INCOMPLETE
    with Store(bench.dirs.state) as store:
        assert store.results_deciding(2) == 2


def test_a_run_without_an_unknown_failure_is_left_as_it_is(bench: Bench) -> None:
    first = bench.start(lab({"always": "true", "both": "false"}))
    bench.built.clear()
    notes = bench.watcher.notes
    assert bench.decide_after(first, (40, None)) is first
    assert (bench.built, bench.watcher.notes) == ([], notes)


def test_a_run_that_has_not_ended_is_not_decided_yet(bench: Bench) -> None:
    first = bench.start(lab({"breaks": new_only("false")}))
    unfinished = replace(first, run=replace(first.run, ended=None))
    assert bench.decide_after(unfinished) is unfinished
    with Store(bench.dirs.state) as store:
        assert store.deciding(2) == ()


def test_a_decision_that_cannot_be_made_leaves_the_run_its_verdict(bench: Bench) -> None:
    first = bench.start(lab({"breaks": new_only("false")}))
    bench.gone = {"ab", "ab-dev"}
    assert bench.decide_after(first).verdict.exit_code is first.verdict.exit_code
    assert bench.watcher.notes[-1] == "its failures could not be decided: the kernel of ab is gone"
    bench.gone = set()
    assert bench.decide(2).verdict.exit_code is ExitCode.REGRESSION, "it goes on on both kernels"
    with Store(bench.dirs.state) as store:
        assert {each.record[SIDE] for each in store.deciding(2)} == {"baseline", "now"}


@pytest.mark.parametrize("words", [["resume", "2"], ["rerun", "2"]])
def test_a_run_that_is_gone_on_with_or_repeated_decides_at_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    both = lab({"breaks": new_only("false"), "later": "true"})
    if words[0] == "resume":
        bench.watcher.breaks_at = ("later", "ab-dev-1")
        with pytest.raises(Interrupted):
            bench.start(both)
    else:
        bench.start(both)
    assert main([*words, "--json"]) == 1
    tests = {test["name"]: test["verdict"] for test in json.loads(capsys.readouterr().out)["tests"]}
    assert tests == {"breaks": "regressed", "later": "ok"}


@pytest.mark.parametrize(
    ("arguments", "rerun", "code", "decision"),
    [
        ((), "off", 4, None),
        (("--rerun-budget", "40"), "off", 1, "regressed"),
        ((), "on", 1, "regressed"),
        (("--rerun-budget", "2"), "on", 4, "open"),
    ],
)
def test_a_run_decides_at_its_end_when_asked(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    rerun: str,
    code: int,
    decision: str | None,
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(bench.dirs.state))
    file = bench.path / "lab.yaml"
    said = {
        "name": "ab",
        "guests": {"count": 1},
        "kernel": {"cmdline": "new"},
        "compare": {"kernel": {"cmdline": "old"}},
        "suites": {"commands": {"tests": {"breaks": new_only("false")}}},
        "verdict": {"rerun": rerun},
    }
    file.write_text(yaml.safe_dump(said))
    assert main(["run", str(file), "--json", *arguments]) == code
    (test,) = json.loads(capsys.readouterr().out)["tests"]
    assert (test["decided"] or {}).get("decision") == decision
