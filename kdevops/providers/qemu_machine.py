"""The QEMU command line of a guest, as a pure function of what the guest is to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.providers.acceleration import Acceleration
from kdevops.providers.architecture import architecture
from kdevops.providers.base import BootKernel


@dataclass(frozen=True, slots=True)
class DiskFile:
    """One virtio disk; the guest finds it by `serial`, never by probe order."""

    path: Path
    serial: str
    format: str = "raw"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """One guest's hardware. `memory` is in bytes; `qmp` is a UNIX socket's path."""

    name: str
    cpus: int
    memory: int
    disks: tuple[DiskFile, ...]
    ssh_port: int
    qmp: Path
    outgoing: bool = False


def command_line(
    machine: Machine, kernel: BootKernel, accel: Acceleration, *, append: Sequence[str], binary: str | None = None
) -> list[str]:
    """QEMU's argv: serial console on stdio, no device that is not asked for, guests confined by seccomp."""
    arch = architecture()
    words = [
        binary or arch.binary,
        *("-name", f"guest={machine.name}"),
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", arch.machine, *accel.arguments()),
        *("-smp", str(machine.cpus)),
        *("-m", f"{machine.memory >> 20}M"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-qmp", f"unix:{_escape(machine.qmp)},server=on,wait=off"),
        *("-device", "virtio-rng-pci"),
        *_network(machine),
    ]
    for number, disk in enumerate(machine.disks):
        words += _disk(number, disk)
    words += ["-kernel", str(kernel.image)]
    if kernel.initrd:
        words += ["-initrd", str(kernel.initrd)]
    return [*words, "-append", " ".join([f"console={arch.serial}", *append])]


def _network(machine: Machine) -> list[str]:
    # restrict=on: the guest reaches neither the internet nor, through the gateway's address, services on our loopback.
    restrict = "off" if machine.outgoing else "on"
    forward = f"hostfwd=tcp:127.0.0.1:{machine.ssh_port}-10.0.2.15:22"
    return ["-netdev", f"user,id=net0,restrict={restrict},{forward}", "-device", "virtio-net-pci,netdev=net0,romfile="]


def _disk(number: int, disk: DiskFile) -> list[str]:
    backend = f"if=none,id=disk{number},file={_escape(disk.path)},format={disk.format},cache=unsafe,discard=unmap"
    if disk.read_only:
        backend += ",readonly=on"
    return ["-drive", backend, "-device", f"virtio-blk-pci,drive=disk{number},serial={disk.serial}"]


def _escape(path: Path) -> str:
    """A path as a value in QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
