"""The provider of guests that are machines elsewhere: in a cloud, or in somebody's rack."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from kdevops.guest.identity import runs_as_given
from kdevops.guest.ssh import SshTarget
from kdevops.lab.hosts import Hosts
from kdevops.lab.model import Lab
from kdevops.lab.terraform import Terraform
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel
from kdevops.providers.machines.base import Machines
from kdevops.providers.machines.hosts import HostMachines
from kdevops.providers.machines.provider import RemoteProvider
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.run.built import Built
from kdevops.run.guests.installs import install_kernel, refuse_servers
from kdevops.run.places import Places

_LOOK = 30.0


def machines_of(lab: Lab, directory: LabDirectory, report: Report, confirm: Confirm = ask_nobody) -> Machines:
    """Who has the machines of a lab."""
    if isinstance(lab.provider, Hosts):
        return HostMachines(lab)
    from kdevops.providers.terraform.machines import TerraformMachines

    return TerraformMachines(lab, directory, report, confirm=confirm)


def acceleration(provider: Terraform | Hosts) -> Acceleration:
    """What the CPUs of machines elsewhere are taken to be."""
    told = f"{provider.slowness:g} times slower than real ones" if provider.slowness > 1 else "real, or accelerated"
    return Acceleration("unknown", f"machines elsewhere are taken to be {told} (provider.slowness)", provider.slowness)


def attached_remote(lab: Lab, places: Places, report: Report = silent) -> RemoteProvider:
    """The provider as far as machines that are already there go."""
    return _provider(lab, places, report, ask_nobody)


async def foresee_machines(lab: Lab, places: Places, report: Report, confirm: Confirm) -> None:
    """Before anything is built for a lab's machines: see whether they can be had, and ask what must be agreed to."""
    await _provider(lab, places, report, confirm).machines.foresee(lab.guest_names())


async def remote_provider(lab: Lab, places: Places, built: Built, report: Report, confirm: Confirm) -> RemoteProvider:
    """The provider whose machines run what was built. Raises UserError for what such machines cannot do."""
    refuse_servers(lab, built)
    artifact = built.artifact
    accel = acceleration(_of(lab))

    async def install(targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        asked = [
            runs_as_given(each, artifact.build_id, artifact.release, words, timeout=_LOOK * accel.factor)
            for each in targets
        ]
        given = await asyncio.gather(*asked)
        if lacking := [target for target, runs in zip(targets, given, strict=True) if not runs]:
            await install_kernel(lab, places, artifact, lacking, words, factor=accel.factor, report=report)

    provider = _provider(lab, places, report, confirm)
    return replace(provider, kernel=BootKernel(artifact.image, artifact.key), install=install)


def _provider(lab: Lab, places: Places, report: Report, confirm: Confirm) -> RemoteProvider:
    wanted = _of(lab)
    directory = LabDirectory(places.lab(lab.name))
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    machines = machines_of(lab, directory, report, confirm)
    lasting = isinstance(wanted, Hosts)
    return RemoteProvider(lab, directory, machines, acceleration(wanted), lasting=lasting, report=report)


def _of(lab: Lab) -> Terraform | Hosts:
    assert isinstance(lab.provider, Terraform | Hosts)
    return lab.provider
