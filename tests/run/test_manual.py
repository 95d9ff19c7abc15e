"""`up --play`: what it cannot play is said before anything is made."""

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.progress import silent
from kdevops.run import arms, manual
from kdevops.run.dirs import Dirs


def test_an_unknown_playbook_is_told_before_anything_is_built_or_made(tmp_path, monkeypatch) -> None:
    async def prepare(*_: object) -> None:
        raise AssertionError("guests were prepared")

    monkeypatch.setattr("kdevops.run.manual.prepare", prepare)
    dirs = Dirs(tmp_path / "state", tmp_path / "cache")
    with pytest.raises(UserError, match="there is no playbook devconfg; did you mean devconfig") as caught:
        asyncio.run(arms.up(Lab(name="x"), dirs, silent, plays=["fstests", "devconfg"]))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "state").exists(), "not even the lab's directory is made"


@pytest.mark.parametrize("playbook", ["controller", "libvirt"])
def test_a_playbook_for_this_machine_is_not_one_for_guests(playbook) -> None:
    with pytest.raises(UserError, match=f"there is no playbook {playbook}"):
        manual.check_plays([playbook])


@pytest.mark.parametrize("suite", ["fstests", "selftests"])
def test_a_play_starts_no_run_that_would_wait_for_its_own_lab(suite, tmp_path, monkeypatch) -> None:
    """The lab is held by `up`: a run would be refused, or wait for ever."""
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", sys.executable)
    dirs = Dirs(tmp_path / "state", tmp_path / "cache")
    gone = str(tmp_path / "gone.yaml")  # a run of it fails at once
    host = {"ansible_connection": "local", "kdevops_lab_file": gone, f"{suite}_install": False}
    dirs.lab("x").mkdir(parents=True)
    dirs.inventory("x").write_text(json.dumps({"all": {"children": {suite: {"hosts": {"toy": host}}}}}))
    asyncio.run(manual._play(Lab(name="x"), dirs, [suite], silent))
    assert "kdevops run" not in (dirs.lab("x") / f"play-{suite}.log").read_text()
    assert "Run the lab's tests" not in (dirs.lab("x") / f"play-{suite}.log").read_text()


@pytest.mark.parametrize(
    ("origin", "ours"),
    [({"key": "k", "packages": {"fio": "3"}}, True), ({"kind": "hosts"}, False), ({"kind": "box", "name": "x"}, False)],
)
def test_only_guests_of_our_own_images_need_nothing_installed(origin, ours, tmp_path) -> None:
    """On others the plays of fstests and selftests install what those need."""
    dirs = Dirs(tmp_path / "state", tmp_path / "cache")
    dirs.lab("x").mkdir(parents=True)
    artifact = SimpleNamespace(record={})
    built: Any = SimpleNamespace(servers=(), installed=False, artifact=artifact, origin=origin)
    provider: Any = SimpleNamespace(attach=lambda _: None)
    manual.write_access(Lab(name="x"), dirs, provider, built, None)
    variables = yaml.safe_load(dirs.inventory("x").read_text())["all"]["vars"]
    for suite in ("fstests", "selftests"):
        assert variables.get(f"{suite}_install", True) is not ours
