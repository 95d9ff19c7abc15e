"""A run under test, of which a repair of the store lost the run of the baseline kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.store import Store
from tests.support.arms_bench import Bench, Interrupted, new_only
from tests.support.arms_bench import two_arms as lab


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))
    return Bench(tmp_path, monkeypatch)


def lose(bench: Bench) -> None:
    with Store(bench.dirs.state) as store:
        store.update_record(2, {"compared_with": 7})
    bench.built.clear()


@pytest.mark.parametrize(
    ("words", "done"),
    [(["results"], "judged"), (["decide"], "decided"), (["resume"], "continued"), (["rerun"], "repeated")],
)
def test_what_is_lost_is_told_before_anything_runs(
    bench: Bench, capsys: pytest.CaptureFixture[str], words: list[str], done: str
) -> None:
    bench.start(lab({"breaks": new_only("false"), "fine": "true"}))
    lose(bench)
    assert main([*words, "2"]) == 3
    said = capsys.readouterr().err
    assert f"run 2 cannot be {done}: run 7, of the baseline kernel, is lost" in said
    assert ("kdevops run " in said) == (done != "judged")
    assert (bench.built, len(bench.runs())) == ([], 2)


def test_a_run_that_goes_on_is_not_continued_and_can_be_ended(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.watcher.breaks_at = ("fine", "ab-dev-1")
    with pytest.raises(Interrupted):
        bench.start(lab({"breaks": new_only("false"), "fine": "true"}))
    lose(bench)
    assert main(["resume", "2"]) == 3
    assert "run 2 cannot be continued: run 7, of the baseline kernel, is lost" in capsys.readouterr().err
    assert bench.built == []
    assert main(["resume", "2", "--end"]) == 3
    with Store(bench.dirs.state) as store:
        assert store.run(2).ended
