"""A damaged store is rebuilt from what can be read, and tells what is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.check import problems
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.repair import LOST
from kdevops.results.store import PlannedRow, Run, Store
from kdevops.run.dirs import Dirs
from kdevops.run.lock import lab_lock
from tests.cli import test_damage
from tests.cli.said import told
from tests.cli.test_damage import DAMAGE, PAGE, free

path = test_damage.path  # the fixture


def content(state: Path) -> dict[int, tuple[Run, list[TestId], dict[TestId, Outcome], int]]:
    with Store(state) as store:
        return {
            run.id: (
                run,
                [row.id for row in store.plan(run.id)],
                dict(store.outcomes(run.id)),
                len(store.journal(run.id)),
            )
            for run in store.runs()
        }


def with_damage(path: Path, whole: bytes, page: int, kind: str) -> bytes:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    damaged = whole[: page * PAGE] + DAMAGE[kind](page) + whole[(page + 1) * PAGE :]
    path.write_bytes(damaged)
    return damaged


@pytest.mark.parametrize("kind", DAMAGE)
def test_of_any_damaged_page_the_rest_is_kept(path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    with Store(path.parent) as store:
        test = TestId("fstests", "xfs", "generic/001")
        store.create_run("xfs", [PlannedRow(test, 60)], {"kernel": {"release": "6.1"}, "baseline": "x"})
    whole = path.read_bytes()
    before = content(path.parent)
    kept = nothing = 0
    for page in range(len(whole) // PAGE):
        damaged = with_damage(path, whole, page, kind)
        capsys.readouterr()
        code = main(["results", "check", "--repair", "--json"])
        said = json.loads(capsys.readouterr().out)
        if code:  # nothing of it can be read
            assert (code, path.read_bytes()) == (3, damaged)
            nothing += 1
            continue
        if not said["problems"]:
            assert free(whole, page)
            continue
        assert Path(said["damaged"]).read_bytes() == damaged
        with Store(path.parent) as store:
            assert problems(store) == []
            assert store.create_run("new", [PlannedRow(test, 60)], {}) == max(before) + 1
            store.finish(max(before) + 1)
        after = content(path.parent)
        lost = " ".join(said["lost"])
        for number, (run, plan, outcomes, journal) in before.items():
            if number not in after:
                assert f"run {number} is lost" in lost
                continue
            new, new_plan, new_outcomes, new_journal = after[number]
            assert (new.record, new.created, set(new_plan)) == (run.record, run.created, set(plan))
            if f"of run {number}:" not in lost:
                assert (new, new_plan, new_outcomes, new_journal) == (run, plan, outcomes, journal)
                kept += 1
                continue
            gone = {each for each, outcome in outcomes.items() if new_outcomes.get(each) != outcome}
            assert all(new_outcomes[each] == Outcome(Status.MISSING, reason=LOST) for each in gone)
            assert not gone or new.state is RunState.INCOMPLETE
    pages = len(whole) // PAGE
    assert nothing <= 5  # those of the schema itself
    assert kept > 2 * (pages - nothing)


def test_a_whole_store_is_left_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = path.read_bytes()
    assert told(capsys, "results", "check", "--repair").endswith("is whole: 3 runs\n")
    assert path.read_bytes() == before


def test_nothing_is_rebuilt_while_a_command_writes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = path.read_bytes()
    damaged = with_damage(path, whole, len(whole) // PAGE // 2, "zeroed")
    with lab_lock(Dirs.default().lab("xfs"), "xfs", "run"):
        assert "lab xfs is in use by `kdevops run`" in told(capsys, "results", "check", "--repair", code=2)
    assert path.read_bytes() == damaged


def test_one_that_is_killed_halfway_leaves_the_damaged_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = path.read_bytes()
    damaged = with_damage(path, whole, len(whole) // PAGE // 2, "zeroed")
    with monkeypatch.context() as patch:
        patch.setattr("os.link", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(["results", "check", "--repair"]) == 130
    assert path.read_bytes() == damaged
    assert main(["results", "check", "--repair"]) == 0
    assert main(["results", "check"]) == 0
