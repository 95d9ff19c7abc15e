"""The provider of a lab's guests, made from what was built."""

from __future__ import annotations

from pathlib import Path

from kdevops.guest.image import BaseImage
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.lab.servers import Server
from kdevops.progress import Report
from kdevops.providers.acceleration import Acceleration, probe
from kdevops.providers.architecture import architecture
from kdevops.providers.base import BootKernel, PayloadDisk
from kdevops.providers.guest_files import LabDirectory
from kdevops.providers.qemu import QemuProvider
from kdevops.run.initrd import initrd_for
from kdevops.run.places import Places
from kdevops.suites.registry import servers_of


def attached(lab: Lab, places: Places) -> QemuProvider:
    """The provider as far as guests that are already there go: status, attach, down."""
    return QemuProvider(lab, LabDirectory(places.lab(lab.name)), servers=servers_of(lab))


async def provider_for(
    lab: Lab,
    places: Places,
    artifact: Artifact,
    image: BaseImage,
    report: Report,
    payloads: tuple[PayloadDisk, ...] = (),
    servers: tuple[Server, ...] = (),
) -> QemuProvider:
    """The provider that boots this kernel on this image, lends its guests these disks and has these guests serve them.

    Raises UserError when the lab insists on KVM and KVM does not work.
    """
    accel = await probe_acceleration(lab, places, artifact.image, report)
    initrd = await initrd_for(artifact, image, places.cache)
    kernel = BootKernel(artifact.image, artifact.key, initrd=initrd)
    provider = QemuProvider(lab, LabDirectory(places.lab(lab.name)), accel, image, kernel, payloads, servers)
    await provider.render()
    return provider


async def probe_acceleration(lab: Lab, places: Places, kernel: Path | None, report: Report) -> Acceleration:
    """What this lab's QEMU can do on this machine."""
    binary = lab.provider.binary or architecture().binary
    return await probe(kernel, cache=places.cache, binary=binary, wanted=lab.provider.accel, report=report)
