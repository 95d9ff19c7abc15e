"""The QEMU command line of a guest, as a pure function of the guest's description."""

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
class Wire:
    """A network card on a network for guests of one lab, made of UNIX sockets that only their user may open.

    The `hub` machine listens on one socket per other machine; each of those connects to its own. When the hub ends, the
    others' connections end for good.
    """

    mac: str
    sockets: tuple[Path, ...]
    hub: bool = False


@dataclass(frozen=True, slots=True)
class QemuArgs:
    """One guest's hardware, as QEMU is to provide it. `memory` is in bytes; `qmp` is a UNIX socket's path."""

    name: str
    cpus: int
    memory: int
    disks: tuple[DiskFile, ...]
    ssh_port: int
    qmp: Path
    outgoing: bool = False
    wires: tuple[Wire, ...] = ()


def command_line(
    args: QemuArgs, kernel: BootKernel, accel: Acceleration, *, append: Sequence[str], binary: str | None = None
) -> list[str]:
    """QEMU's argv: serial console on stdio, no default devices, confined by seccomp."""
    arch = architecture()
    words = [
        binary or arch.binary,
        *("-name", f"guest={args.name}"),
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", arch.machine, *accel.arguments()),
        *("-smp", str(args.cpus)),
        *("-m", f"{args.memory >> 20}M"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-qmp", f"unix:{_escape(args.qmp)},server=on,wait=off"),
        *("-device", "virtio-rng-pci"),
        *_network(args),
    ]
    for number, wire in enumerate(args.wires):
        words += _wire(number, wire)
    for number, disk in enumerate(args.disks):
        words += _disk(number, disk)
    words += ["-kernel", str(kernel.image)]
    if kernel.initrd:
        words += ["-initrd", str(kernel.initrd)]
    return [*words, "-append", " ".join([f"console={arch.serial}", *arch.parameters, *append])]


def _network(args: QemuArgs) -> list[str]:
    # restrict=on: the guest reaches neither the internet nor, through the gateway's address, services on our loopback.
    restrict = "off" if args.outgoing else "on"
    forward = f"hostfwd=tcp:127.0.0.1:{args.ssh_port}-10.0.2.15:22"
    return ["-netdev", f"user,id=net0,restrict={restrict},{forward}", "-device", "virtio-net-pci,netdev=net0,romfile="]


def _wire(number: int, wire: Wire) -> list[str]:
    card = ["-device", f"virtio-net-pci,netdev=wire{number},mac={wire.mac},romfile="]
    if not wire.hub:
        return ["-netdev", _stream(f"wire{number}", "off", wire.sockets[0]), *card]
    words = ["-netdev", f"hubport,id=wire{number},hubid={number}", *card]
    for index, path in enumerate(wire.sockets):
        name = f"wire{number}-{index}"
        words += ["-netdev", _stream(name, "on", path)]
        words += ["-netdev", f"hubport,id={name}-port,hubid={number},netdev={name}"]
    return words


def _stream(name: str, server: str, path: Path) -> str:
    return f"stream,id={name},server={server},addr.type=unix,addr.path={_escape(path)}"


def _disk(number: int, disk: DiskFile) -> list[str]:
    backend = f"if=none,id=disk{number},file={_escape(disk.path)},format={disk.format},cache=unsafe,discard=unmap"
    if disk.read_only:
        backend += ",readonly=on"
    # A failure of the host's disk must not reach the guest as an I/O error, nor look like a fault of its kernel: QEMU
    # stops the machine, and its keeper makes it try again.
    policy = "werror=stop,rerror=stop"
    return ["-drive", backend, "-device", f"virtio-blk-pci,drive=disk{number},{policy},serial={disk.serial}"]


def _escape(path: Path) -> str:
    """A path as a value in QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
