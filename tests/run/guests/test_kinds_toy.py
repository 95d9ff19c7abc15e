"""A kind of provider is added by its model, its module and a line for each: no command knows of it otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.lab.model import PROVIDERS, Compare, Lab
from kdevops.run.caches import entries
from kdevops.run.guests.kinds import KINDS
from tests.fakelinux import make_tree
from tests.run.guests.toy_kind import Toy

LAB = """
name: toys
provider: {{type: toy, colour: green}}
guests: {{count: 2}}
kernel: {{source: {{path: {tree}}}}}
suites: {{commands: {{tests: {{one: "true", two: "exit 1"}}}}}}
"""


def _take_up() -> None:
    """The models read their table when they are made."""
    for model in (Compare, Lab):
        model.model_rebuild(force=True)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROVIDERS, "toy", Toy)
        patch.setitem(KINDS, "toy", "tests.run.guests.toy_kind:ToyKind")
        _take_up()
        yield
    _take_up()


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    Path("lab.yaml").write_text(LAB.format(tree=make_tree(tmp_path / "linux")))


def states(out: str) -> dict[str, str]:
    return {each["name"]: each["state"] for each in json.loads(out)}


def test_guests_of_a_new_kind_come_up_are_shown_and_go_down(capsys: pytest.CaptureFixture[str]) -> None:
    running, stopped = ({"toys-1": state, "toys-2": state} for state in ("running", "stopped"))
    assert main(["status", "--json"]) == 0
    assert states(capsys.readouterr().out) == stopped
    assert main(["up", "--json"]) == 0
    assert states(capsys.readouterr().out) == running
    assert main(["status", "--json"]) == 0
    assert states(capsys.readouterr().out) == running
    Path("lab.yaml").unlink()
    assert main(["down", "toys", "--json"]) == 0
    assert states(capsys.readouterr().out) == stopped


def test_what_a_new_kind_leaves_in_the_cache_is_thrown_away(tmp_path: Path) -> None:
    for directory in ("toys", "boxes", "terraform", "nobodys"):
        (tmp_path / "cache" / directory).mkdir(parents=True)
        (tmp_path / "cache" / directory / "a").touch()
    assert [each.kind for each in entries(tmp_path / "cache")] == ["boxes", "terraform", "toys"]


def test_tests_run_on_guests_of_a_new_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--set", "verdict.probation=0"]) == 4
    told = capsys.readouterr()
    assert "two" in told.out
    assert "commands/default/two: open: failed again in 3 of 3 runs" in told.err, "so do its reruns"
    assert main(["results", "1", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found


def test_a_new_kind_tells_what_it_has_and_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "validate"]) == 0
    assert "lab toys, 2 toys, green, kernel from" in capsys.readouterr().out
    assert main(["up", "--set", "provider.colour=blue"]) == 2
    assert "there are no blue toys" in capsys.readouterr().err
    assert not Path("cache/kernels").exists(), "it was told before a kernel was built"
    assert main(["lab", "validate", "--set", "provider.color=blue"]) == 2
    assert "did you mean colour?" in capsys.readouterr().err


def test_what_looks_at_files_of_all_kinds_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up"]) == 0
    assert main(["gc"]) == 0
    assert main(["lab", "schema"]) == 0
    assert "colour" in capsys.readouterr().out


def test_each_type_that_a_lab_file_may_name_has_a_kind() -> None:
    assert set(KINDS) == set(PROVIDERS)
