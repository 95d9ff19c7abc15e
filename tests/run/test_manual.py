"""`up --play`: what it cannot play is said before anything is made."""

import asyncio

import pytest

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.progress import silent
from kdevops.run import arms
from kdevops.run.places import Places


def test_an_unknown_playbook_is_told_before_anything_is_built_or_made(tmp_path, monkeypatch) -> None:
    async def prepare(*_: object) -> None:
        raise AssertionError("guests were prepared")

    monkeypatch.setattr("kdevops.run.manual.prepare", prepare)
    places = Places(tmp_path / "state", tmp_path / "cache")
    with pytest.raises(UserError, match="there is no playbook devconfg; did you mean devconfig") as caught:
        asyncio.run(arms.up(Lab(name="x"), places, silent, plays=["fstests", "devconfg"]))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "state").exists(), "not even the lab's directory is made"
