"""The content of a Vagrant box: Debian with systemd, a kernel, GRUB, and a user for Vagrant's login."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Literal

from kdevops.images.debian import image_packages
from kdevops.images.needs import GuestNeeds
from kdevops.images.overlay import MASKED, add_file, add_link
from kdevops.lab.model import Image

BoxProvider = Literal["libvirt", "virtualbox"]
DATA = Path(__file__).parent / "data"
_PACKAGES = ("grub-common", "grub-pc-bin", "grub2-common", "initramfs-tools", "sudo", "systemd-resolved")
# The cloud kernel is a quarter of the size, but lacks drivers for VirtualBox's disks and network cards.
_KERNELS: dict[BoxProvider, str] = {"libvirt": "linux-image-cloud-amd64", "virtualbox": "linux-image-amd64"}
_EARLY = {
    "etc/default/grub": "grub",
    "etc/initramfs-tools/conf.d/kdevops": "initramfs.conf",
    "usr/share/initramfs-tools/modules.d/kdevops": "initramfs-modules",
    "usr/lib/kdevops/initrd.sh": "initrd.sh",
    "usr/lib/systemd/system/kdevops-host-keys.service": "kdevops-host-keys.service",
}
_LATE = {
    "etc/systemd/system/systemd-logind.service.d/kdevops.conf": "logind.conf",
    "etc/sudoers.d/vagrant": "sudoers",
    "etc/systemd/network/99-kdevops.network": "99-kdevops.network",
    "etc/udev/rules.d/61-kdevops.rules": "61-kdevops.rules",
}
# Each delays ssh by half a second in an emulated guest, and no test needs it.
_NEEDLESS = ("modprobe@drm.service", "systemd-binfmt.service", "systemd-pstore.service", "systemd-repart.service")
_HOSTNAME = "kdevops"
_VAGRANT = 1000
"""User and group id of vagrant; created in finish.sh."""


def box_packages(image: Image, needs: GuestNeeds, provider: BoxProvider) -> list[str]:
    """Packages of a box: those of the embedded provider's guests with systemd, plus kernel and boot loader."""
    return sorted({*image_packages(image, needs, systemd=True), *_PACKAGES, _KERNELS[provider]})


def early_files(partuuid: str) -> bytes:
    """A tar archive of files that package scripts read, so that they are needed before packages are installed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, source in _EARLY.items():
            add_file(archive, name, _data(source), 0o644)
        # No fsck at boot: after a crash, the journal is enough.
        add_file(archive, "etc/fstab", f"PARTUUID={partuuid} / ext4 defaults 0 0\n".encode(), 0o644)
    return buffer.getvalue()


def late_files() -> bytes:
    """A tar archive to unpack over the finished tree."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, source in _LATE.items():
            add_file(archive, name, _data(source), 0o440 if source == "sudoers" else 0o644)
        add_file(archive, "etc/ssh/sshd_config.d/kdevops.conf", _sshd(), 0o644)
        add_file(archive, "etc/hostname", f"{_HOSTNAME}\n".encode(), 0o644)
        add_file(archive, "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {_HOSTNAME}\n::1 localhost\n".encode(), 0o644)
        # Empty: every machine creates its own, without first-boot questions; see machine-id(5).
        add_file(archive, "etc/machine-id", b"", 0o444)
        add_link(archive, "etc/resolv.conf", "../run/systemd/resolve/resolv.conf")
        for name in (*MASKED, *_NEEDLESS):
            add_link(archive, f"etc/systemd/system/{name}", "/dev/null")
        _add_directory(archive, "home/vagrant/.ssh")
        add_file(archive, "home/vagrant/.ssh/authorized_keys", _data("vagrant.pub"), 0o600, owner=_VAGRANT)
    return buffer.getvalue()


def finish_hook(uuid: str, partuuid: str) -> str:
    """Shell text for mmdebstrap's --customize-hook: users, units and GRUB, for a root file system with these ids."""
    return f"uuid={uuid} partuuid={partuuid}\n{_data('finish.sh').decode()}"


def _data(name: str) -> bytes:
    return (DATA / "box" / name).read_bytes()


def _sshd() -> bytes:
    """The sshd settings of the embedded provider's guests, without those for the seed."""
    lines = (DATA / "sshd.conf").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if "/run/kdevops/seed" not in line).encode()


def _add_directory(archive: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o700, _VAGRANT, _VAGRANT
    archive.addfile(entry)
