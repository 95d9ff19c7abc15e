"""The verbs that work on a lab, for a lab with two kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdevops.__main__ import main
from kdevops.errors import UserError
from kdevops.kernel.artifact import Artifact
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run import arms
from kdevops.run.dirs import Dirs
from tests.cli.said import told

LAB = """name: ab
guests: {count: 2}
kernel: {source: {path: .}}
compare: {kernel: {source: {package: linux-source-6.1}}}
suites: {commands: {tests: {one: "true"}}}
"""


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    Path("lab.yaml").write_text(LAB)
    Path("Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\n")  # this directory is the kernel's source
    Path("Kconfig").touch()
    Path("scripts").mkdir()


def test_status_and_down_list_the_guests_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("status", "down"):
        guests = json.loads(told(capsys, verb, "--json"))
        assert [guest["name"] for guest in guests] == ["ab-1", "ab-2", "ab-dev-1", "ab-dev-2"]
        assert {guest["state"] for guest in guests} == {"stopped"}


def test_kernel_build_builds_both(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def build_kernel(lab: Any, *_: object) -> Artifact:
        (source,) = lab.kernel.source.model_dump(mode="json", exclude_none=True).values()
        return Artifact(lab.name, Path(), Path(), source, None)

    monkeypatch.setattr(arms, "build_kernel", build_kernel)
    kernels = json.loads(told(capsys, "kernel", "build", "--json"))
    assert [(each["key"], each["release"]) for each in kernels] == [
        ("ab", "linux-source-6.1"),
        ("ab-dev", str(Path.cwd())),
    ]


def test_validate_names_both_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    here = Path.cwd()
    assert f"kernel from path {here} compared with one from package linux-source-6.1, suites:" in told(
        capsys, "lab", "validate"
    )


def test_what_is_shown_is_a_lab_with_two_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shown.yaml").write_text(told(capsys, "lab", "show", "--set", "compare.kernel.cmdline=[quiet]"))
    assert told(capsys, "lab", "show", "shown.yaml") == Path("shown.yaml").read_text()
    digests = [
        json.loads(told(capsys, "lab", "validate", "--json", *more))["digest"]
        for more in (["shown.yaml"], ["--set", "compare.kernel.cmdline=quiet"], [])
    ]
    assert digests[0] == digests[1] != digests[2]


def test_fresh_baseline_is_for_two_kernels(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    error = told(capsys, "run", "--fresh-baseline", "--set", "compare=", code=2)
    assert "--fresh-baseline is for a lab with two kernels" in error
    asked: dict[str, Any] = {}

    async def start(*_: object, **options: Any) -> None:
        asked.update(options)
        raise UserError("far enough")

    monkeypatch.setattr(arms, "start", start)
    assert "far enough" in told(capsys, "run", "--fresh-baseline", "lab.yaml", "one", code=2)
    assert asked == {"only": ["one"], "failures_of": None, "persist": False, "fresh_baseline": True}


def test_results_of_a_run_are_told_beside_its_baseline_arm(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    dirs = Dirs.default()
    test = TestId("commands", "default", "one")
    record = {"kernel": {"release": "6.1.11", "source": "linux"}, "baseline": str(tmp_path / "none")}
    with Store(dirs.state) as store:
        for lab, more, status in (("ab", {}, Status.PASS), ("ab-dev", {"compared_with": 1}, Status.FAIL)):
            run = store.create_run(lab, [PlannedRow(test, 60)], {**record, **more})
            store.ended(run, test, Outcome(status))
            store.finish(run)
    assert main(["results", "2"]) == 4
    out = capsys.readouterr().out
    assert out.startswith(
        "Undecided: 1 failure is not decided: one; nothing else regressed in 1 test that ran (1 fail)\n"
        "run 2 of lab ab-dev, kernel 6.1.11\ncompared with run 1 of lab ab;"
    )
    assert main(["results", "2", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["arms"]["baseline"]["run"] == 1
    assert main(["results", "1"]) == 0
    assert "ab-dev" not in capsys.readouterr().out
    assert main(["baseline", "accept", "1"]) == 0
    capsys.readouterr()
    assert "+one  pass=1 fail=1" in told(capsys, "baseline", "diff", "2")
