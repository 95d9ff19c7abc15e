"""Whoever ends or judges a run keeps its verdict in short, for the list of runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.results.store import Store
from kdevops.run import session
from tests.support.arms_bench import Bench, new_only
from tests.support.arms_bench import two_arms as lab


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def kept(bench: Bench, run: int) -> tuple[int | None, str]:
    with Store(bench.dirs.state) as store:
        ((code, words),) = store.query("SELECT exit_code, verdict FROM summary WHERE run = :run", run=run)
        return code, words


def test_both_kernels_runs_have_one_and_a_decision_renews_it(bench: Bench) -> None:
    bench.start(lab({"always": "true", "breaks": new_only("false")}))
    assert kept(bench, 1) == (0, "nothing regressed")
    assert kept(bench, 2) == (4, "undecided 1")
    bench.decide(2)
    assert kept(bench, 2) == (1, "regressed 1")


def test_a_run_that_is_ended_has_one(bench: Bench) -> None:
    run = bench.start(lab({"always": "true"}, compare=None)).run
    with Store(bench.dirs.state) as store:
        number = store.create_run("ab", store.plan(run.id), dict(run.record))
    assert kept(bench, number) == (None, "")
    asyncio.run(session.end(number, bench.dirs))
    assert kept(bench, number) == (4, "missing 1")
