"""Guests of two arms by manual: up, status and down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.guest.sshconfig import config_path
from kdevops.lab.model import Lab
from kdevops.providers.base import GuestStatus
from kdevops.run import arms, manual
from kdevops.run.dirs import Dirs
from tests.support.arms_bench import Bench
from tests.support.arms_bench import two_arms as lab


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_guests_of_both_arms_come_up_and_go_together(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def status(each: Lab, dirs: Dirs) -> tuple[GuestStatus, ...]:
        asked.append(each.name)
        return tuple(GuestStatus(name, "running") for name in each.guest_names())

    asyncio.run(arms.up(lab(guests={"count": 2}), bench.dirs, bench.watcher.handle))
    assert sorted(name for name, _ in bench.providers["ab"].boots) == ["ab-1", "ab-2"]
    assert sorted(name for name, _ in bench.providers["ab-dev"].boots) == ["ab-dev-1", "ab-dev-2"]
    assert bench.providers["ab-dev"].attach("ab-dev-1")
    monkeypatch.setattr(manual, "status", status)
    guests = asyncio.run(arms.status(lab(guests={"count": 2}), bench.dirs))
    assert [guest.name for guest in guests] == ["ab-1", "ab-2", "ab-dev-1", "ab-dev-2"]
    assert asked == ["ab", "ab-dev"]


def test_ssh_knows_nobody_who_was_taken_down(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(arms.up(lab(), bench.dirs, bench.watcher.handle))
    configs = [config_path(bench.dirs.state, name) for name in ("ab", "ab-dev")]
    for config in configs:
        config.write_text("Host ab-1\n")  # as `up` writes it, which this bench has not
    asyncio.run(arms.down(lab(), bench.dirs))
    assert not any(config.exists() for config in configs)


def test_every_arm_is_taken_down_though_one_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def down(each: Lab, dirs: Dirs, *_: object) -> tuple[GuestStatus, ...]:
        tried.append(each.name)
        if each.name == "ab":
            raise InfrastructureError("it does not end")
        return ()

    monkeypatch.setattr(manual, "down", down)
    with pytest.raises(InfrastructureError, match="it does not end"):
        asyncio.run(arms.down(lab(), bench.dirs))
    assert tried == ["ab", "ab-dev"]


def test_vagrants_machines_come_up_one_arm_after_the_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: list[str] = []

    async def bring_up(each: Lab, *_: object, **__: object) -> tuple[GuestStatus, ...]:
        at_work.append(each.name)
        assert len(at_work) == 1
        await asyncio.sleep(0.01)
        at_work.remove(each.name)
        return ()

    monkeypatch.setattr(manual, "bring_up", bring_up)
    asyncio.run(arms.up(lab(provider={"type": "vagrant"}), bench.dirs, bench.watcher.handle))
