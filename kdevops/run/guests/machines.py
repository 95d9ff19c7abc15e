"""The common part of kinds whose guests are machines elsewhere: in a cloud or a rack."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.run.guests.kinds import Kind

if TYPE_CHECKING:
    from kdevops.guest.ssh import SshTarget
    from kdevops.lab.model import Lab
    from kdevops.providers.machines.base import Machines
    from kdevops.providers.machines.provider import RemoteProvider
    from kdevops.providers.shared.lab_directory import LabDirectory
    from kdevops.run.built import Built
    from kdevops.run.dirs import Dirs

_LOOK = 30.0


class MachinesKind(Kind):
    """Machines with their own boot loader. The kind defines which they are, and how slow."""

    preexisting: bool
    """Whether the machines belong to somebody and outlive the lab."""

    @abstractmethod
    def machines_of(self, lab: Lab, directory: LabDirectory, report: Report, confirm: Confirm) -> Machines:
        """The source of a lab's machines."""

    @abstractmethod
    def slowness(self, lab: Lab) -> float:
        """How many times slower than real hardware they are."""

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> RemoteProvider:
        """A provider for existing machines only."""
        return self._provider(lab, dirs, report, ask_nobody)

    async def preflight(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Check whether the machines can be provided, and ask for confirmation if needed."""
        await self._provider(lab, dirs, report, confirm).machines.preflight(lab.guest_names())

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> RemoteProvider:
        """The provider for machines that run `built`. Raises UserError for what such machines cannot do."""
        from kdevops.guest.identity import runs_as_given
        from kdevops.providers.base import BootKernel
        from kdevops.run.guests.installs import check_servers, install_kernel

        check_servers(lab, built)
        artifact = built.artifact
        provider = self._provider(lab, dirs, report, confirm)

        async def install(targets: Sequence[SshTarget], words: Sequence[str]) -> None:
            asked = [
                runs_as_given(each, artifact.build_id, artifact.release, words, timeout=_LOOK * provider.slowdown)
                for each in targets
            ]
            given = await asyncio.gather(*asked)
            if lacking := [target for target, runs in zip(targets, given, strict=True) if not runs]:
                await install_kernel(lab, dirs, artifact, lacking, words, slowdown=provider.slowdown, report=report)

        return replace(provider, kernel=BootKernel(artifact.image, artifact.key), install=install)

    def _provider(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm) -> RemoteProvider:
        from kdevops.providers.machines.provider import RemoteProvider
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.run.guests.speed import speed_elsewhere

        directory = LabDirectory(dirs.lab(lab.name))
        directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        machines = self.machines_of(lab, directory, report, confirm)
        accel = speed_elsewhere(self.slowness(lab))
        return RemoteProvider(lab, directory, machines, accel, preexisting=self.preexisting, report=report)
