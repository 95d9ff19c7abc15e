"""Machines that exist."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.lab.model import Lab
from kdevops.providers.machines.hosts import HostMachines
from tests.providers.machines.toy_machines import toy


def lab_of(*hosts: dict[str, object]) -> Lab:
    return Lab.model_validate({"name": "rack", "provider": {"type": "hosts", "hosts": list(hosts)}})


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdevops.providers.machines.hosts._GREETING", 0.3)


def test_places_are_what_the_lab_says() -> None:
    lab = lab_of(
        {
            "address": "[2001:db8::1]",
            "user": "me",
            "key": "/k",
            "reset": ["power", "cycle"],
            "console": ["console", "a"],
        },
        {"address": "192.0.2.7", "port": 2222},
    )
    first, second = HostMachines(lab).known().values()
    assert (first.host, first.user, first.key, first.reset) == ("2001:db8::1", "me", Path("/k"), ("power", "cycle"))
    assert first.console_streams
    assert (second.port, second.key, second.console, second.console_streams) == (2222, None, (), False)
    assert first.identity != second.identity
    assert HostMachines(lab).command_lines()["rack-2"] == ["ssh://root@192.0.2.7:2222"]
    assert HostMachines(lab).why == "2 machines that exist"


def test_one_that_does_not_greet_is_left_out_and_told_of_when_asked_for_alone(tmp_path: Path) -> None:
    async def main() -> None:
        there, dark = await toy(tmp_path, "rack-1"), closed_port()
        lab = lab_of({"address": "127.0.0.1", "port": there.port}, {"address": "127.0.0.1", "port": dark})
        machines = HostMachines(lab)
        assert list(await machines.start(("rack-1", "rack-2"))) == ["rack-1"]
        with pytest.raises(InfrastructureError, match=f"rack-2 is 127.0.0.1 port {dark}, and no ssh server") as caught:
            await machines.start(("rack-2",))
        assert "`reset`" in str(caught.value.hint)
        assert await machines.states() == {"rack-1": "running", "rack-2": "no answer"}
        await machines.stop()
        there.server.close()

    asyncio.run(main())


def test_one_that_can_be_reset_need_not_greet() -> None:
    lab = lab_of({"address": "127.0.0.1", "port": closed_port(), "reset": ["true"]})
    assert list(asyncio.run(HostMachines(lab).start(("rack-1",)))) == ["rack-1"]
