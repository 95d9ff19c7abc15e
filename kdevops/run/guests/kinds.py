"""The provider of a lab's guests, made from what was built."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.guest.ssh import SshTarget
from kdevops.lab.hosts import Hosts
from kdevops.lab.model import Lab, Qemu
from kdevops.lab.terraform import Terraform
from kdevops.lab.vagrant import Vagrant
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.providers.acceleration import Acceleration, probe
from kdevops.providers.architecture import architecture
from kdevops.providers.base import BootKernel, Provider
from kdevops.providers.qemu.provider import QemuProvider
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.run.built import Built
from kdevops.run.guests.initrd import initrd_for
from kdevops.run.guests.installs import install_kernel, refuse_servers
from kdevops.run.places import Places
from kdevops.suites.registry import servers_of

if TYPE_CHECKING:
    from kdevops.providers.vagrant.provider import VagrantProvider


def attached(lab: Lab, places: Places, report: Report = silent) -> Provider:
    """The provider as far as guests that are already there go: status, attach, down."""
    directory = LabDirectory(places.lab(lab.name))
    if isinstance(lab.provider, Vagrant):
        from kdevops.providers.vagrant.provider import VagrantProvider

        return VagrantProvider(lab, directory)
    if isinstance(lab.provider, Terraform | Hosts):
        from kdevops.run.guests.machines import attached_remote

        return attached_remote(lab, places, report)
    try:
        servers = servers_of(lab)
    except KdevopsError:  # as when its files of profiles are gone; servers that run are found all the same
        servers = ()
    return QemuProvider(lab, directory, servers=servers)


async def foresee(lab: Lab, places: Places, report: Report, confirm: Confirm = ask_nobody) -> None:
    """What can be known before a kernel is built for guests: whether they will be had, and whether somebody agrees.

    Raises KdevopsError where not.
    """
    if isinstance(lab.provider, Vagrant):
        await _foresee_vagrant(lab, lab.provider, places)
    if isinstance(lab.provider, Terraform | Hosts):
        from kdevops.run.guests.machines import foresee_machines

        refuse_foreign_machines(lab)
        await foresee_machines(lab, places, report, confirm)


async def _foresee_vagrant(lab: Lab, wanted: Vagrant, places: Places) -> None:
    """Nothing is asked where machines were made before: it takes seconds."""
    from kdevops.doctor.vagrant import check_tools
    from kdevops.providers.vagrant.provider import VagrantProvider

    provider = VagrantProvider(lab, LabDirectory(places.lab(lab.name)))
    if provider.has_machines:
        return
    for check in await check_tools(wanted.backend):
        if check.needed and not check.ok:
            raise InfrastructureError(f"{check.name}: {check.detail}", hint=check.mend or None)
    await provider.ask_hypervisors()


def refuse_foreign_machines(lab: Lab) -> None:
    """Raise UserError where machines would have another processor than this one, which kernel and suites are built for."""
    here = platform.machine()
    if isinstance(lab.provider, Terraform) and lab.provider.architecture not in {None, here}:
        raise UserError(
            f"provider.architecture is {lab.provider.architecture}, and what is built on this machine runs on {here}",
            hint=f"have machines of {here}, or run kdevops on one of {lab.provider.architecture}: the cloud has small ones",
        )


async def provider_for(
    lab: Lab, places: Places, built: Built, report: Report, confirm: Confirm = ask_nobody
) -> Provider:
    """The provider whose guests run what was built. `confirm` is asked before it makes anything that costs money.

    Raises UserError when the lab insists on KVM and KVM does not work.
    """
    if isinstance(lab.provider, Vagrant):
        return await _vagrant(lab, lab.provider, places, built, report)
    if isinstance(lab.provider, Terraform | Hosts):
        from kdevops.run.guests.machines import remote_provider

        return await remote_provider(lab, places, built, report, confirm)
    assert built.image
    accel = await probe_acceleration(lab, places, built.artifact.image, report)
    initrd = await initrd_for(built.artifact, built.image, places.cache)
    kernel = BootKernel(built.artifact.image, built.artifact.key, initrd=initrd)
    directory = LabDirectory(places.lab(lab.name))
    qemu = QemuProvider(lab, directory, accel, built.image, kernel, built.payloads, built.servers)
    await qemu.render()
    return qemu


async def probe_acceleration(lab: Lab, places: Places, kernel: Path | None, report: Report) -> Acceleration:
    """What the guests of this lab will be accelerated by, as far as this machine can tell."""
    provider = lab.provider
    if isinstance(provider, Qemu):
        binary = provider.binary or architecture().binary
        return await probe(kernel, cache=places.cache, binary=binary, wanted=provider.accel, report=report)
    assert isinstance(provider, Vagrant)
    if provider.backend == "virtualbox":
        return Acceleration("kvm", "VirtualBox runs nothing without the CPU's help", 1.0)
    if any(not uri.startswith("qemu:///") for uri in provider.hypervisors) and provider.accel == "auto":
        return Acceleration("kvm", "a hypervisor elsewhere is taken to have KVM (else: provider.accel: tcg)", 1.0)
    binary = architecture().binary
    return await probe(kernel, cache=places.cache, binary=binary, wanted=provider.accel, report=report)


async def _vagrant(lab: Lab, wanted: Vagrant, places: Places, built: Built, report: Report) -> VagrantProvider:
    refuse_servers(lab, built)
    if wanted.backend == "libvirt" and platform.machine() != "x86_64" and not wanted.box:
        raise UserError(f"no box can be made for {platform.machine()}", hint="name one at provider.box")
    accel = await probe_acceleration(lab, places, built.artifact.image, report)
    artifact = built.artifact
    kernel = BootKernel(artifact.image, artifact.key, _root_of(lab, wanted, built))

    async def install(targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        await install_kernel(lab, places, artifact, targets, words, factor=accel.factor, report=report)

    from kdevops.providers.vagrant.provider import VagrantProvider

    directory = LabDirectory(places.lab(lab.name))
    provider = VagrantProvider(lab, directory, accel, built.box, kernel, install, report)
    await provider.render()
    return provider


def _root_of(lab: Lab, wanted: Vagrant, built: Built) -> tuple[str, ...]:
    """The parameters by which a kernel that no boot loader starts finds its root."""
    if wanted.boot == "install" or any(word.startswith("root=") for word in lab.kernel.cmdline):
        return ()
    if root := built.origin.get("root"):
        return (f"root={root}", "rw")
    raise UserError(
        f"provider.boot is direct, and where the root of the box {wanted.box} is only you know",
        hint="say it at kernel.cmdline: [root=/dev/vda1]",
    )
