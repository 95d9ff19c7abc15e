"""Waiting for the next boot of a machine elsewhere."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from kdevops.guest.ssh import SshTarget
from kdevops.providers.machines import reach as remote_reach
from kdevops.providers.machines.reach import Reach

TARGET = SshTarget("lab-1", "192.0.2.1", 22, "root", None, Path("/known"))


@pytest.mark.parametrize(("answers", "found"), [(["old", "new"], "new"), (["old", "old", "old", "new"], "")])
def test_a_machine_that_came_back_while_we_were_stopped_is_found(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], found: str
) -> None:
    """The first answer takes longer than is waited for: nothing of this process goes on meanwhile."""
    monkeypatch.setattr(remote_reach, "_PAUSE", 0.0)
    boots = iter(answers)

    async def greets(*_: object, **__: object) -> bool:
        return True

    async def ask(*_: object) -> str:
        time.sleep(0.3)  # noqa: ASYNC251
        return next(boots)

    monkeypatch.setattr(remote_reach, "wait_for_banner", greets)
    monkeypatch.setattr(Reach, "_ask", ask)
    reach = Reach(Path("/known"), 1.0, strict=False, report=Mock())
    assert asyncio.run(reach.boot(TARGET, Mock(), None, seconds=0.2, old="old")) == found
