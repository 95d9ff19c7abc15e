"""Real runs whose database is killed in the middle: they go on, are judged as if it had been there, and lose nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.results.model import RunState
from kdevops.results.store import Store
from kdevops.results.team import routing
from kdevops.run.judging import judge
from kdevops.run.session import Ended
from tests.support.arms_bench import SCRIPTS, Bench
from tests.support.arms_bench import two_arms as lab
from tests.support.postgresql import Cluster


@pytest.fixture
def bench(tmp_path: Path, postgres: Cluster, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(routing, "PAUSE", 0.0)
    yield Bench(tmp_path, monkeypatch)
    with contextlib.suppress(AssertionError):
        postgres.start()  # unless it runs


def told(ended: Ended) -> list[tuple[str, str]]:
    return [(each.test.name, each.verdict.value) for each in ended.verdict.tests]


@pytest.mark.parametrize("victim", ["old", "new"])
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_comparison_whose_database_is_killed_is_judged_right(
    bench: Bench, postgres: Cluster, victim: str, tmp_path: Path
) -> None:
    kills = f"[ $KERNEL != {victim} ] || kill -9 {postgres.pid}"
    ended = bench.start(lab({"kills": kills, **SCRIPTS}))
    assert dict(told(ended)) == {
        "always": "ok",
        "both": "known-failure",
        "breaks": "inconclusive",
        "is-mended": "fixed",
        "kills": "ok",
    }
    with Store(bench.dirs.state) as store:
        assert sum(store.waiting().values()) >= 1
    assert told(bench.decide_after(ended)) == told(ended)
    assert any("could not be decided" in note for note in bench.watcher.notes)
    postgres.start()
    decided = bench.decide(ended.run.id)
    with Store(tmp_path / "elsewhere") as other:
        assert other.waiting() == {}
        there = [other.run(run) for run in (1, 2)]
        assert [run.state for run in there] == [RunState.COMPLETE, RunState.COMPLETE]
        again = judge(other, there[1])
        assert [each.verdict for each in again.tests] == [each.verdict for each in decided.verdict.tests]
        assert other.counts()[1].total == other.counts()[2].total == 5
