"""Debian as it installs itself, with nothing of ours in it: a bootable disk, and its root as one bare file system.

Made once, into the cache of the tests. No root and no loop device is needed: mmdebstrap makes the files, mke2fs the file
system, and GRUB's core image is made inside of the tree and written behind the boot sector, where grub-install would put it.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kdevops.images.bootstrap import bootstrap
from kdevops.images.disk import SECTOR, make_disk, partuuid, tool_path
from kdevops.images.overlay import MASKED
from kdevops.images.store import making, publish
from kdevops.process import run
from kdevops.progress import silent

SUITE = "bookworm"
NAME = "distribution"
_PACKAGES = (
    "dbus", "grub-pc-bin", "grub2-common", "iproute2", "kmod", "linux-image-cloud-amd64", "openssh-server", "procps",
    "python3", "systemd", "systemd-sysv", "udev",
    "bc", "bison", "flex", "gcc", "libc6-dev", "make",  # what a kernel is compiled with
)  # fmt: skip
_SIGNATURE = 0x64656231
_SIZE = 2 << 30
_GRUB = """\
set -e
mkdir -p "$1/boot/grub"
cp -r "$1/usr/lib/grub/i386-pc" "$1/boot/grub/"
# Scripts of update-grub that find nothing here; each costs an emulated guest a second.
cd "$1/etc/grub.d" && chmod -x 05_debian_theme 20_linux_xen 30_os-prober 30_uefi-firmware 40_custom 41_custom
chroot "$1" grub-mkimage -O i386-pc -o /boot/grub/core.img -p "(hd0,msdos1)/boot/grub" biosdisk part_msdos ext2 normal linux
"""
# Read when the kernel is installed. What Debian's installer calls an initramfs with only what the system needs: one with all that
# there is takes an emulated guest half a minute to make, and seconds of every boot to unpack.
_EARLY = {
    "etc/initramfs-tools/conf.d/test": "MODULES=list\nBUSYBOX=n\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n",
    "usr/share/initramfs-tools/modules.d/test": "virtio_pci\nvirtio_blk\next4\n",
}
_FSTAB = f"PARTUUID={partuuid(_SIGNATURE).removeprefix('PARTUUID=')} / ext4 defaults 0 1\n"
_FILES = {
    "etc/hostname": f"{NAME}\n",
    "etc/fstab": _FSTAB,
    "etc/default/grub.d/test.cfg": 'GRUB_TIMEOUT=0\nGRUB_TERMINAL=console\nGRUB_CMDLINE_LINUX="console=ttyS0 mitigations=off"\n',
    "etc/systemd/network/any.network": "[Match]\nType=ether\n[Network]\nDHCP=yes\n",
    # What update-grub replaces: it cannot run in a tree that is no disk yet.
    "boot/grub/grub.cfg": f"linux /vmlinuz root={partuuid(_SIGNATURE)} console=ttyS0 mitigations=off\ninitrd /initrd.img\nboot\n",
}
_UNITS = "etc/systemd/system"
# Each that is masked costs an emulated guest half a second of every boot, and no test asks for it.
_MASKED = (
    *MASKED,
    "modprobe@drm.service",
    "systemd-binfmt.service",
    "systemd-pstore.service",
    "systemd-repart.service",
)
_LINKS = {
    f"{_UNITS}/multi-user.target.wants/systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service",
    **{f"{_UNITS}/{name}": "/dev/null" for name in _MASKED},
}
# As /boot/efi in clouds' images: a line that the distribution's kernel can mount and a lean one cannot.
_UNMOUNTABLE = "none /srv hugetlbfs defaults 0 0\n"


@dataclass(frozen=True)
class DistributionImage:
    """`disk` boots by itself; `bare` is a file system without partitions; `host_key` is the public key of their sshd."""

    disk: Path
    bare: Path
    host_key: str


async def distribution_image(cache: Path) -> DistributionImage:
    """The image, made when it is not in `cache`: 45 s on two cores."""
    recipe = json.dumps([SUITE, _PACKAGES, _SIGNATURE, _SIZE, _GRUB, _EARLY, _FILES, _LINKS, _UNMOUNTABLE])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:32]
    store = cache / "tests"
    disk, bare, host_key = (store / f"{key}{suffix}" for suffix in (".raw", ".ext4", ".pub"))
    if not disk.exists():
        async with making(store, key, silent) as work:
            if not disk.exists():
                await _make(work, work / disk.name, work / bare.name, work / host_key.name)
                publish(work, store, [host_key.name, bare.name, disk.name])
    return DistributionImage(disk, bare, host_key.read_text())


async def _make(work: Path, disk: Path, bare: Path, host_key: Path) -> None:
    root, own, early, log = work / "root.tar", work / "own.tar", work / "early.tar", work / "log"
    _write_files(early, _EARLY)
    hook = work / "hook"
    hook.write_text(f"#!/bin/sh\n{_GRUB}")
    hook.chmod(0o755)
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
    options.append(f"--essential-hook=tar-in {shlex.quote(str(early))} /")
    await bootstrap(
        SUITE, None, _PACKAGES, root, options=options, hooks=[str(hook)], work=work, on_line=lambda _: None, log=log
    )
    _write_files(own, _FILES, _LINKS)
    boot, core, public = _members(
        root, "boot/grub/i386-pc/boot.img", "boot/grub/core.img", "etc/ssh/ssh_host_ed25519_key.pub"
    )
    host_key.write_bytes(public)
    await make_disk(disk, [root, own], size=_SIZE, signature=_SIGNATURE, mark=boot[:440], log=log)
    with disk.open("r+b") as file:
        file.seek(SECTOR)
        file.write(core)
    await run(["dd", "status=none", "bs=1M", "skip=1", "conv=sparse", f"if={disk}", f"of={bare}"], timeout=300)
    fstab = work / "fstab"
    fstab.write_text(_FSTAB + _UNMOUNTABLE)
    for request in ("rm /etc/fstab", f"write {fstab} /etc/fstab"):
        await run(["debugfs", "-w", "-R", request, bare], env={"PATH": tool_path()}, timeout=60)


def _write_files(path: Path, files: Mapping[str, str], links: Mapping[str, str] = MappingProxyType({})) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)


def _members(path: Path, *names: str) -> list[bytes]:
    with tarfile.open(path) as archive:
        members = [archive.extractfile(f"./{name}") for name in names]
        return [member.read() for member in members if member]
