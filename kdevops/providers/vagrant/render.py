"""Vagrant's input for a lab: our Vagrantfile, the same for all labs, and lab.json with all data."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kdevops.errors import UserError
from kdevops.files import write_atomic
from kdevops.images.box_tree import DATA
from kdevops.lab.model import Lab
from kdevops.lab.vagrant import Vagrant
from kdevops.paths import data_dir
from kdevops.providers.shared.lab_directory import LabDirectory, make_disk
from kdevops.providers.vagrant.hypervisors import is_elsewhere

_VERSION = 1
_MIB = 1 << 20
_SECTOR = 512
_UDEV_RULES = "61-kdevops.rules"
_EMULATED = 8
"""Minimum slowdown for boot timeouts with an emulated CPU. The caller of Vagrant has a deadline of its own."""
_MOST_DISKS = {"virtio": 25, "nvme": 23, "virtualbox": 26}
"""vagrant-libvirt names disks vda to vdz, the first of them the root; NVMe disks use the PCI slots 8 to 30; of the 30
AHCI ports, our disks leave four free."""
_ELSEWHERE = "choose other directories with KDEVOPS_STATE and KDEVOPS_CACHE"
_UNFIT_FOR_XML = re.compile(r"[<>&'\"\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class VagrantBox:
    """The box of the guests. `url` may be a file's path; it and `sha256` are used if the box is not installed yet."""

    name: str
    version: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """A kernel that libvirt boots itself. vagrant-libvirt applies `cmdline` to new machines only."""

    image: Path
    cmdline: tuple[str, ...]
    initrd: Path | None = None


def prefix(lab_dir: Path, lab: Lab) -> str:
    """The prefix of a lab's machine and disk names, unique even among users with labs of the same name."""
    return f"kdevops-{lab.name}-{hashlib.sha256(os.fsencode(lab_dir.absolute())).hexdigest()[:8]}-"


def render(
    lab: Lab,
    directory: LabDirectory,
    box: VagrantBox,
    *,
    driver: Literal["kvm", "qemu"],
    kernel: DirectKernel | None = None,
) -> Path:
    """Write Vagrant's input, and return the directory to run it in. The same lab gives the same bytes.

    Also creates the guests' console files, empty and owned by us, because writers keep the owner. Keys must exist when
    Vagrant runs. Raises UserError for what libvirt or VirtualBox cannot do.
    """
    facts = _facts(lab, directory, box, driver, kernel)
    root = directory.path / "vagrant"
    shipped = data_dir("vagrant")
    contents = {
        "Vagrantfile": (shipped / "Vagrantfile").read_bytes(),
        "prepare.sh": (shipped / "prepare.sh").read_bytes(),
        _UDEV_RULES: (DATA / "box" / _UDEV_RULES).read_bytes(),
        "lab.json": json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n",
    }
    for guest in facts["guests"]:
        _make_files(directory.guest(guest["name"]), guest, backend=facts["backend"])
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in contents.items():
        path = root / name
        if not path.is_file() or path.read_bytes() != content:
            write_atomic(path, content, mode=0o755 if name.endswith(".sh") else 0o644)
    return root


def _facts(
    lab: Lab, directory: LabDirectory, box: VagrantBox, driver: str, kernel: DirectKernel | None
) -> dict[str, Any]:
    """All data of the Vagrantfile, as JSON values."""
    provider = lab.provider_as(Vagrant)
    emulated = provider.backend == "libvirt" and driver == "qemu"
    facts = {
        "version": _VERSION,
        "name": lab.name,
        "prefix": prefix(directory.path, lab),
        "backend": provider.backend,
        "box": {"name": box.name, "version": box.version, "url": box.url, "sha256": box.sha256},
        "boot_timeout": int(provider.boot_timeout * (_EMULATED if emulated else 1)) or 1,
        "private_key": _path(directory.key),
        "public_key": _path(directory.key.with_suffix(".pub")),
        "guests": [_guest(lab, provider, directory, number) for number in range(lab.guests.count)],
    }
    if provider.backend == "libvirt":
        facts["libvirt"] = _libvirt(provider, driver)
        facts["kernel"] = kernel and _kernel(kernel)
    return facts


def _guest(lab: Lab, provider: Vagrant, directory: LabDirectory, number: int) -> dict[str, Any]:
    name = lab.guest_names()[number]
    home = directory.guest(name)
    guest: dict[str, Any] = {
        "name": name,
        "cpus": lab.guests.cpus,
        "memory": -(-lab.guests.memory // _MIB),
        "host_key": _path(home / "ssh_host_ed25519_key"),
        "console": _path(home / "console.log"),
    }
    sizes = [disk.size for disk in lab.guests.disks for _ in range(disk.count)]
    kind = provider.disk_bus if provider.backend == "libvirt" else provider.backend
    if len(sizes) > (most := _MOST_DISKS[kind]):
        raise UserError(
            f"a guest has {len(sizes)} disks, but {kind} supports at most {most}",
            hint="lower the count in guests.disks",
        )
    guest["disks"] = [{"serial": f"kd-{index}", "size": size} for index, size in enumerate(sizes)]
    if provider.backend == "virtualbox":
        for disk in guest["disks"]:
            disk |= {"path": _path(home / f"{disk['serial']}.vdi"), "size": -(-disk["size"] // _SECTOR) * _SECTOR}
        return guest
    guest["hypervisor"] = uri = provider.hypervisors[number % len(provider.hypervisors)]
    _fit_for_xml(home)
    remote = is_elsewhere(uri)
    if remote:
        guest["console"] = None  # a file there is useless; virsh shows the console
    if provider.boot == "direct" and remote:
        raise UserError(
            f"boot: direct makes libvirt boot a file of this machine, but guest {name} is on {uri}",
            hint="remove boot to install the kernel in the guests; or use this machine's hypervisor",
        )
    if provider.disk_bus == "nvme":
        if remote and sizes:
            raise UserError(
                f"disk_bus: nvme makes disks on this machine, but guest {name} is on {uri}",
                hint="remove disk_bus, or use this machine's hypervisor",
            )
        for index, disk in enumerate(guest["disks"]):
            disk["path"] = _path(home / f"disk{index}.raw")
    return guest


def _libvirt(provider: Vagrant, driver: str) -> dict[str, Any]:
    if driver == "kvm":
        cpu = {"cpu_mode": "host-passthrough"}
    elif provider.box:
        cpu = {"cpu_mode": "maximum"}  # some distributions require newer processors
    else:
        cpu = {"cpu_mode": "custom", "cpu_model": "qemu64"}  # the fastest to emulate: an eighth of `up`
    return {"driver": driver, "machine": provider.machine, "pool": provider.pool, **cpu}


def _kernel(kernel: DirectKernel) -> dict[str, Any]:
    for path in filter(None, (kernel.image, kernel.initrd)):
        _fit_for_xml(path)
    return {
        "image": _path(kernel.image),
        "initrd": kernel.initrd and _path(kernel.initrd),
        "cmdline": list(kernel.cmdline),
    }


def _make_files(home: Path, guest: dict[str, Any], *, backend: str) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if guest["console"]:
        console = home / "console.log"
        if console.exists() and not os.access(console, os.R_OK | os.W_OK):
            console.unlink()  # libvirt recreated or rotated it, and it belongs to root
        console.touch(mode=0o600)
    if backend == "libvirt":
        for disk in guest["disks"]:
            if "path" in disk:
                make_disk(Path(disk["path"]), disk["size"])


def _path(path: Path) -> str:
    """The path for JSON. Raises UserError for one that is not UTF-8."""
    text = str(path.absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"Vagrant needs paths in UTF-8, but {text!a} is not", hint=_ELSEWHERE) from None
    return text


def _fit_for_xml(path: Path) -> None:
    """vagrant-libvirt writes paths in quotes into XML, without consistent escapes."""
    if match := _UNFIT_FOR_XML.search(str(path.absolute())):
        raise UserError(f"vagrant-libvirt cannot use a path with {match[0]!r} in it: {path}", hint=_ELSEWHERE)
