"""A suite that cannot run a test alone: that is told, and the run keeps its verdict."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.progress import Report
from kdevops.results.model import RunState
from kdevops.results.store import Store
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.suites.base import PlannedTest
from tests.support.arms_bench import Bench, new_only
from tests.support.arms_bench import two_arms as lab
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import ShellSuite

WHY = "a-breaks needs the tests before it"
BOTH = lab({"a-breaks": new_only("false"), "fine": "true"})


class WholeBench(Bench):
    """The harness refuses what is not the whole."""

    async def _build(self, lab: Lab, dirs: Dirs, report: Report) -> Built:
        commands = lab.suites.commands
        assert commands
        scripts = {name: f"KERNEL={' '.join(lab.kernel.cmdline)}\n{text}" for name, text in commands.tests.items()}
        refuses = f'[ $# -gt 2 ] || {{ echo "refused: {WHY}"; exit 3; }}'
        artifact = Artifact(self.key, dirs.cache, dirs.cache, platform.release(), None)
        return Built(artifact, None, (ToySuite(scripts, self.path / "left", before=refuses),), origin={"key": "image"})


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))


def check(bench: Bench, capsys: pytest.CaptureFixture[str], last: str) -> list[str]:
    """The run is as it was; returns what `decide` said of its errors."""
    capsys.readouterr()
    assert main(["decide", "2"]) == 4
    said = capsys.readouterr()
    assert said.out.startswith("Undecided: 1 failure is not decided: a-breaks; nothing else regressed")
    lines = said.err.splitlines()
    assert lines[-1] == f"note: {last}"
    assert main(["results", "2"]) == 4
    with Store(bench.dirs.state) as store:
        assert all(each.state is RunState.INCOMPLETE for each in store.deciding(2))
    return lines[1:-1]


def test_a_harness_that_refuses_a_single_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = WholeBench(tmp_path, monkeypatch)
    bench.start(BOTH)
    said = check(bench, capsys, "more reruns are unlikely to tell; still open: toy/default/a-breaks")
    assert set(said) == {
        f"note: ab-1: refused: {WHY}",
        f"note: ab-dev-1: refused: {WHY}",
        f"note: toy/default/a-breaks: no result: missing, refused: {WHY}",
    }


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (UserError, f"cannot go on deciding: {WHY}"),
        (InfrastructureError, "more reruns are unlikely to tell; still open: commands/default/a-breaks"),
    ],
)
def test_a_suite_that_has_no_command_for_a_single_test(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[KdevopsError],
    last: str,
) -> None:
    def refuses(suite: ShellSuite, test: PlannedTest) -> None:
        raise kind(WHY)

    bench = Bench(tmp_path, monkeypatch)
    bench.start(BOTH)
    with monkeypatch.context() as patched:
        patched.setattr(ShellSuite, "command", refuses)
        said = check(bench, capsys, last)
    assert all(WHY in line for line in said)
    assert main(["decide", "2"]) == 1, "once it can, that goes on"


def test_a_test_that_skips_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.start(BOTH)
    monkeypatch.setattr(ShellSuite, "command", lambda *_: (("sh", "-c", "exit 4"), "/"))
    capsys.readouterr()
    assert main(["decide", "2"]) == 4
    assert "note: commands/default/a-breaks: no result: skip\n" in capsys.readouterr().err
