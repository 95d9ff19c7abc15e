"""The provider of machines elsewhere, as runs have it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.lab.model import Lab
from kdevops.lab.servers import Server
from kdevops.progress import silent
from kdevops.providers.machines.hosts import HostMachines
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.guests.hosts import HostsKind
from kdevops.run.guests.kinds import kind_of
from kdevops.run.guests.speed import speed_elsewhere

LAB = Lab.model_validate(
    {"name": "rack", "provider": {"type": "hosts", "hosts": [{"address": "192.0.2.1"}], "slowness": 4}}
)


def test_deadlines_are_stretched_as_the_lab_says() -> None:
    assert HostsKind().slowness(LAB) == 4
    assert speed_elsewhere(4).slowdown == 4
    assert "4 times slower" in speed_elsewhere(4).why
    assert speed_elsewhere(1).slowdown == 1


@pytest.mark.parametrize(("here", "there"), [("x86_64", "aarch64"), ("aarch64", "x86_64")])
def test_machines_of_another_processor_are_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, there: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: here)
    lab = Lab.model_validate({"name": "x", "provider": {"type": "terraform", "cloud": "aws", "architecture": there}})
    said = f"provider.architecture is {there}, but kernels built on this machine are for {here}"
    with pytest.raises(UserError, match=said):
        asyncio.run(kind_of(lab).preflight(lab, Dirs(tmp_path / "state", tmp_path / "cache"), silent))


def test_a_rack_where_nobody_answers_is_told_before_anything_is_built(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    hosts = [{"address": "127.0.0.1", "port": port}]
    lab = Lab.model_validate({"name": "x", "provider": {"type": "hosts", "hosts": hosts}})
    with pytest.raises(InfrastructureError, match=f"x-1 is 127.0.0.1 port {port}, and no ssh server answers there"):
        asyncio.run(kind_of(lab).preflight(lab, Dirs(tmp_path / "state", tmp_path / "cache"), silent))


def test_machines_that_exist_last(tmp_path: Path) -> None:
    provider = HostsKind().attached(LAB, Dirs(tmp_path / "state", tmp_path / "cache"))
    assert provider.preexisting
    assert isinstance(provider.machines, HostMachines)
    assert provider.attach("rack-1") is None, "it was never brought up"
    assert provider.command_lines() == {"rack-1": ["ssh://root@192.0.2.1:22"]}


def test_profiles_with_a_server_are_refused(tmp_path: Path) -> None:
    built = cast(Built, SimpleNamespace(servers=(Server("nfsd", "rack-nfsd", ("rack-1",)),)))
    with pytest.raises(UserError, match="need a server guest, which provider hosts does not support"):
        asyncio.run(HostsKind().provider_for(LAB, Dirs(tmp_path / "state", tmp_path / "cache"), built, silent))
