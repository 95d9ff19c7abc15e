"""Guests made by Vagrant, on libvirt or VirtualBox."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kdevops.errors import InfrastructureError, UserError
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.run.guests.kinds import Kind

if TYPE_CHECKING:
    from kdevops.doctor.checks import Check
    from kdevops.doctor.option import DoctorOption
    from kdevops.guest.ssh import SshTarget
    from kdevops.images.box_tree import BoxProvider
    from kdevops.lab.model import Lab
    from kdevops.lab.vagrant import Vagrant
    from kdevops.providers.acceleration import Acceleration
    from kdevops.providers.base import Provider
    from kdevops.run.built import Built, Root
    from kdevops.run.dirs import Dirs


class VagrantKind(Kind):
    """`provider: {type: vagrant}`."""

    one_lab_at_a_time = True
    """Two Vagrant processes must not copy one box into libvirt's pool at the same time."""
    caches = ("boxes",)

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> Provider:
        """A provider for existing machines only."""
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.providers.vagrant.provider import VagrantProvider

        return VagrantProvider(lab, LabDirectory(dirs.lab(lab.name)))

    async def preflight(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Check Vagrant and its hypervisors; skipped if machines were made before, because it takes seconds."""
        from kdevops.doctor.vagrant import check_tools
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.providers.vagrant.provider import VagrantProvider

        provider = VagrantProvider(lab, LabDirectory(dirs.lab(lab.name)))
        if provider.has_machines:
            return
        for check in await check_tools(_of(lab).backend):
            if check.needed and not check.ok:
                raise InfrastructureError(f"{check.name}: {check.detail}", hint=check.mend or None)
        await provider.ask_hypervisors()

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> Provider:
        """The provider for machines that run `built`. Raises UserError for what Vagrant cannot do here."""
        from kdevops.providers.base import BootKernel
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.providers.vagrant.provider import VagrantProvider
        from kdevops.run.guests.installs import check_servers, install_kernel

        wanted, artifact = _of(lab), built.artifact
        check_servers(lab, built)
        if wanted.backend == "libvirt" and platform.machine() != "x86_64" and not wanted.box:
            raise UserError(
                f"kdevops cannot make a box for {platform.machine()}", hint="set provider.box to an existing one"
            )
        accel = await _speed(wanted, dirs, artifact.image, report)
        kernel = BootKernel(artifact.image, artifact.key, _root_of(lab, wanted, built))

        async def install(targets: Sequence[SshTarget], words: Sequence[str]) -> None:
            await install_kernel(lab, dirs, artifact, targets, words, slowdown=accel.slowdown, report=report)

        directory = LabDirectory(dirs.lab(lab.name))
        provider = VagrantProvider(lab, directory, accel, built.box, kernel, install, report)
        await provider.render()
        return provider

    async def build_root(self, lab: Lab, dirs: Dirs, report: Report) -> Root:
        """The box that the lab names, or one made from `guests.image`."""
        from kdevops.images.box import ensure_box
        from kdevops.providers.vagrant.render import VagrantBox
        from kdevops.run.built import Root
        from kdevops.suites.registry import guest_needs

        wanted = _of(lab)
        if wanted.box:
            box = VagrantBox(wanted.box, wanted.box_version, wanted.box_url, wanted.box_sha256)
            return Root({"kind": "box", "name": box.name, "version": box.version, "sha256": box.sha256}, box=box)
        needs = guest_needs(lab)
        made = await ensure_box(lab.guests.image, needs, wanted.backend, cache=dirs.cache, report=report)
        return Root({"key": made.key, **made.record}, box=VagrantBox(made.name, url=str(made.path)))

    def installs(self, lab: Lab) -> bool:
        """True unless libvirt boots the kernel directly."""
        return _of(lab).boot != "direct"

    def fragments(self, lab: Lab) -> tuple[str, ...]:
        """Fragments for the disks and the hypervisor of the lab."""
        wanted = _of(lab)
        needed = {
            "box": wanted.box is not None,  # ours boots what the embedded provider's images boot
            "nvme": wanted.disk_bus == "nvme",
            "virtualbox": wanted.backend == "virtualbox",
        }
        return tuple(name for name, there in needed.items() if there)

    def connect_terminal(self, directory: Path, guest: str) -> bool:
        """Raises UserError for Vagrant's machines: the console belongs to libvirt's daemon, perhaps on another machine."""
        if not (directory / "vagrant.json").exists():
            return False
        raise UserError(
            f"the console of {guest} is recorded, but not interactive",
            hint=f"log in: kdevops ssh {guest}; or on the libvirt host: virsh console {guest}",
        )

    def doctor_option(self) -> DoctorOption:
        """Vagrant, and what the backend needs."""
        from kdevops.doctor.option import DoctorOption

        help_ = "Also check Vagrant and its backend; with --install, libvirt is also set up and started."
        return DoctorOption(("libvirt", "virtualbox"), "libvirt", help_, _checks, frozenset({"libvirt"}))

    def box_provider(self, lab: Lab) -> BoxProvider:
        """The lab's backend."""
        return _of(lab).backend


async def _checks(backend: str) -> list[Check]:
    from kdevops.doctor import vagrant

    return await vagrant.check_vagrant(cast("vagrant.Backend", backend))


def _of(lab: Lab) -> Vagrant:
    from kdevops.lab.vagrant import Vagrant

    return lab.provider_as(Vagrant)


async def _speed(wanted: Vagrant, dirs: Dirs, kernel: Path, report: Report) -> Acceleration:
    from kdevops.providers.acceleration import Acceleration
    from kdevops.run.guests.speed import speed_here

    if wanted.backend == "virtualbox":
        return Acceleration("kvm", "VirtualBox always uses hardware virtualisation", 1.0)
    if any(not uri.startswith("qemu:///") for uri in wanted.hypervisors) and wanted.accel == "auto":
        return Acceleration("kvm", "a remote hypervisor is assumed to have KVM (else set provider.accel: tcg)", 1.0)
    return await speed_here(wanted.accel, dirs, kernel, report)


def _root_of(lab: Lab, wanted: Vagrant, built: Built) -> tuple[str, ...]:
    """Kernel parameters for the root device, if the kernel boots without a boot loader."""
    if wanted.boot == "install" or any(word.startswith("root=") for word in lab.kernel.cmdline):
        return ()
    if root := built.origin.get("root"):
        return (f"root={root}", "rw")
    raise UserError(
        f"provider.boot: direct needs the root device of box {wanted.box}, which is not known",
        hint="set it in the lab: kernel.cmdline: [root=/dev/vda1]",
    )
