"""What the commands say of a team's store, and that they never show its password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.paths import state_dir
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Store
from kdevops.results.team.trouble import UnreachableError
from kdevops.run.dirs import Dirs
from tests.results.stored import rows, tid
from tests.support.postgresql import Cluster

RECORD = {"kernel": {"release": "6.1.9"}, "baseline": "baselines", "lab_file": "lab.yaml"}


@pytest.fixture
def url(postgres: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    found = postgres.fresh()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDEVOPS_STORE", found)
    yield found
    postgres.used(found)


def test_a_colleague_sees_the_run(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(state_dir()) as store:
        run = store.create_run("xfs", rows("a", "b"), RECORD)
        store.started(run, tid("a"), "g")
        store.ended(run, tid("a"), Outcome(Status.FAIL, reason="why"))
    assert main(["results"]) == 0
    assert "interrupted" in capsys.readouterr().out  # here it does not go on
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "colleague"))
    assert main(["results"]) == 0
    assert "running" in capsys.readouterr().out  # for all that is known there
    assert main(["resume"]) == 2
    assert "no interrupted run" in capsys.readouterr().err
    with Store(tmp_path / "here") as store:
        store.finish(run)
    assert main(["results", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["id"], line["lab"], line["kernel"], line["state"]) == (run, "xfs", "6.1.9", "incomplete")
    assert main(["results", str(run), "--test", "a"]) == 0
    assert "why" in capsys.readouterr().out
    assert main(["results", "history", "a"]) == 0
    assert f"run {run}" in capsys.readouterr().out
    assert main(["results", "check"]) == 0
    assert "is whole: 1 runs" in capsys.readouterr().out
    assert main(["results", "check", "--repair"]) == 2
    assert "--repair is for a store in a file" in capsys.readouterr().err


def test_results_that_wait_are_told(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object) -> None:
        raise UnreachableError("away")

    with monkeypatch.context() as patch:
        patch.setattr("kdevops.results.team.routing.deliver", away)
        with Store(state_dir()) as store:
            run = store.create_run("xfs", rows("a", "b"), RECORD)
            store.ended(run, tid("a"), Outcome(Status.FAIL))
        assert main(["results"]) == 0
        said = capsys.readouterr()
        assert "fail" not in said.out
        assert f"1 result of run {run} waits for the database: the next command delivers" in said.err
    assert main(["results"]) == 0
    said = capsys.readouterr()
    assert "fail 1" in said.out
    assert "waits" not in said.err


def test_no_command_shows_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (
        "postgresql://me:s3cr3t@127.0.0.1:1/db",
        "postgresql://me:s3cr3t@no.such.host.invalid/db?connect_timeout=2",
        "postgresql://me@127.0.0.1:1/db?password=s3cr3t",
        "postgresql://me:s3cr3t@[::1/db",
    ):
        monkeypatch.setenv("KDEVOPS_STORE", url)
        for command in (["results"], ["results", "--json"], ["results", "1"], ["baseline", "accept", "1"], ["resume"]):
            assert main(command) in {2, 3}
            said = capsys.readouterr()
            assert "s3cr3t" not in said.out + said.err
            assert "Traceback" not in said.err
            assert said.err


def test_outputs_of_runs_of_different_stores_stand_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dirs, found = Dirs(tmp_path, tmp_path), set()
    for url in ("", "postgresql://a@host/x", "postgresql://a@host/y", "postgresql://a@other/x"):
        monkeypatch.setenv("KDEVOPS_STORE", url)
        found.add(dirs.run(1))
    assert len(found) == 4
    assert tmp_path / "runs/1" in found
    for url in ("postgresql://b:new@host/x", "postgresql://host/x?password=z"):
        monkeypatch.setenv("KDEVOPS_STORE", url)
        assert dirs.run(1) in found


def runs_of(state: Path, *, finish: bool = True) -> int:
    """A run of lab xfs, with output on the machine with this state directory."""
    with Store(state) as store:
        run = store.create_run("xfs", rows("a"), RECORD)
        store.started(run, tid("a"), "g")
        if finish:
            store.ended(run, tid("a"), Outcome(Status.PASS))
            store.finish(run)
    output = Dirs(state, state).run(run)
    output.mkdir(parents=True)
    (output / "a.log").write_text("x" * 5000)
    return run


def test_old_runs_are_removed_from_a_teams_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_of(state_dir()), runs_of(tmp_path / "colleague"), runs_of(tmp_path / "colleague", finish=False)
    runs_of(state_dir())
    assert main(["results", "prune", "--keep", "1", "--yes"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("run 1 of lab xfs, ")
    assert "2 runs, about 5 KiB" in said
    assert said.endswith("removed; 5 KiB freed\n")
    assert not Dirs.default().run(1).exists()
    assert [path.name for path in sorted((Dirs.default().run(0).parent.parent / "spool").glob("*.sqlite"))] == [
        "4.sqlite"
    ]
    with Store(state_dir()) as store:
        assert [each.id for each in store.runs()] == [4, 3]
    assert main(["results", "check"]) == 0
    assert main(["results", "1"]) == 2
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "colleague"))
    capsys.readouterr()
    assert main(["results", "2"]) == 2
    assert "no run 2" in capsys.readouterr().err
    assert main(["results"]) == 0
    assert "wait" not in capsys.readouterr().out


def test_what_runs_take_in_a_teams_store_cannot_be_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs_of(state_dir()), runs_of(state_dir())
    assert main(["results", "prune", "--larger-than", "1KiB", "--yes"]) == 2
    assert "--larger-than is for a store in a file" in capsys.readouterr().err
    with Store(state_dir()) as store:
        assert len(store.runs()) == 2


def test_a_bundle_goes_to_a_teams_store_and_from_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs_of(state_dir())
    assert main(["results", "export", str(run), "--bundle", "first"]) == 0
    with monkeypatch.context() as alone:
        alone.delenv("KDEVOPS_STORE")
        alone.setenv("KDEVOPS_STATE", str(tmp_path / "alone"))
        assert main(["results", "import", "--bundle", "first"]) == 0
        assert main(["results", "export", "1", "--bundle", "second"]) == 0
    assert Path("first").read_bytes() == Path("second").read_bytes()
    assert main(["results", "prune", "--keep", "1", "--yes"]) == 0
    assert main(["results", "import", "--bundle", "second"]) == 0
    assert f"already here as run {run} of lab xfs" in capsys.readouterr().out
