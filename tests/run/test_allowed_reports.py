"""The list of allowed kernel reports in a run: refused before anything is built, and where a run is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.errors import ExitCode, UserError
from kdevops.lab.load import load_lab
from kdevops.results.baselines.allowed_reports import file_of
from kdevops.results.model import KernelReport, Outcome, Status
from kdevops.results.store import Store
from kdevops.run.judging import judge
from kdevops.run.validate import validate
from tests.results.baselines.test_allowed_reports import ENTRY
from tests.support.arms_bench import Bench, two_arms

SCRIPTS = {"always": "true"}
SINGLE = two_arms(SCRIPTS, compare=None)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path, monkeypatch)
    (tmp_path / "baselines").mkdir()
    return bench


def write(bench: Bench, text: str) -> None:
    file_of(bench.path / "baselines").write_text(text)


@pytest.mark.parametrize("lab", [SINGLE, two_arms(SCRIPTS)], ids=["one kernel", "two kernels"])
def test_a_mistake_is_told_before_anything_is_built(bench: Bench, lab) -> None:
    write(bench, "- {pattern: x}\n")
    with pytest.raises(UserError, match=r"reports\.yaml:1:3: 0\.until: is missing") as caught:
        bench.start(lab)
    assert caught.value.exit_code is ExitCode.USER
    assert bench.built == []
    assert bench.runs() == []


def test_a_mistake_is_told_where_a_run_is_judged_or_repeated(bench: Bench) -> None:
    ended = bench.start(SINGLE)
    write(bench, "- {pattern: x}\n")
    with Store(bench.dirs.state) as store, pytest.raises(UserError, match=r"reports\.yaml:1:3: "):
        judge(store, store.run(ended.run.id), anew=True)
    bench.built.clear()
    with pytest.raises(UserError, match=r"reports\.yaml:1:3: "):
        bench.rerun(ended.run.id)
    assert bench.built == []


def test_lab_validate_tells_it_too(tmp_path: Path) -> None:
    (tmp_path / "baselines").mkdir()
    file_of(tmp_path / "baselines").write_text("- {pattern: x}\n")
    lab = tmp_path / "lab.yaml"
    lab.write_text("name: x\n")
    with pytest.raises(UserError, match=r"lab\.yaml:1:1: baseline: .*reports\.yaml:1:3: 0\.until: is missing"):
        validate(load_lab(lab))


@pytest.mark.parametrize(("until", "code"), [("2999-01-01", ExitCode.OK), ("2020-01-01", ExitCode.REGRESSION)])
def test_a_stored_run_is_judged_with_it(bench: Bench, until: str, code: ExitCode) -> None:
    report = KernelReport("warning", "WARNING in xfs_bar", "WARNING: x", True, "text")
    ended = bench.start(SINGLE)
    with Store(bench.dirs.state) as store:
        rows = store.plan(ended.run.id)
        number = store.create_run("ab", rows, dict(ended.run.record))
        store.started(number, rows[0].id, "ab-1")
        store.ended(number, rows[0].id, Outcome(Status.PASS, reports=(report,)))
        store.finish(number)
        assert judge(store, store.run(number)).exit_code is ExitCode.REGRESSION
        write(bench, f"- {{pattern: '{ENTRY['pattern']}', reason: r, link: https://example.org/, until: {until}}}\n")
        assert judge(store, store.run(number)).exit_code is code
