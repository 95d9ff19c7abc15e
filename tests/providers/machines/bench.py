"""A provider of machines elsewhere with one toy of a machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kdevops.lab.model import Lab
from kdevops.progress import Progress
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel
from kdevops.providers.machines.provider import RemoteProvider
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.shared.recorder import Recorders
from tests.providers.machines.toy_machines import Installed, Toy, ToyMachines, stub, toy

NAME = "toys-1"
LAB = Lab.model_validate(
    {"name": "toys", "provider": {"type": "hosts", "hosts": [{"address": "192.0.2.1"}], "boot_timeout": 1}}
)


@dataclass
class Bench:
    """A provider, its machine, and what it told."""

    directory: Path
    provider: RemoteProvider
    machines: ToyMachines
    toy: Toy
    installed: Installed
    told: list[Progress] = field(default_factory=list)

    def place(self, **changes: object) -> None:
        """Have the machine be known otherwise."""
        self.machines.places[NAME] = replace(self.machines.places[NAME], **changes)  # type: ignore[arg-type]
        self.provider._addresses.pop(NAME, None)

    def again(self) -> RemoteProvider:
        """The provider as another command makes it."""
        return replace(self.provider, _locks={}, _addresses={}, _recorders=Recorders())


Story = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a story with one machine that is up, and has never been ours."""

    def run(story: Story, **more: object) -> None:
        async def main() -> None:
            machine = await toy(tmp_path / "toys", NAME, **more)
            machines = ToyMachines({NAME: machine.place})
            installed, told = Installed({NAME: machine}), []
            provider = RemoteProvider(
                LAB, LabDirectory(tmp_path / "lab"), machines, Acceleration("kvm", "", 1.0),
                BootKernel(Path("/vmlinuz"), "key"), installed, preexisting=True, report=told.append,
            )  # fmt: skip
            bench = Bench(tmp_path, provider, machines, machine, installed, told)
            try:
                await asyncio.wait_for(story(bench), 60)
            finally:
                await provider._recorders.stop(NAME)
                machine.server.close()

        stub(tmp_path / "toys", monkeypatch)
        monkeypatch.setattr("kdevops.providers.machines.provider.ANSWER", 1.0)
        monkeypatch.setattr("kdevops.providers.machines.reach._PAUSE", 0.05)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "")
        asyncio.run(main())

    return run


def in_a_cloud(bench: Bench) -> RemoteProvider:
    """The same machine, had of a cloud."""
    said = {"type": "terraform", "cloud": "aws", "boot_timeout": 0.5}
    lab = Lab.model_validate({"name": "toys", "provider": said})
    return replace(bench.again(), lab=lab, preexisting=False)
