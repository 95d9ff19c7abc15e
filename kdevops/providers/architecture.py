"""The machines we can make embedded guests on."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from kdevops.errors import UserError


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs between the machines we can make guests on.

    `i8042=off` spares the kernel a search for a PS/2 mouse, 0.7 s where the CPU is emulated. `parameters` are the kernel's:
    x86 counts timer interrupts against a loop as it boots, and panics ("IO-APIC + timer doesn't work") where the host was
    too busy to run the guest meanwhile. Guests of KVM leave that out by themselves (arch/x86/kernel/kvm.c).
    """

    binary: str
    machine: str
    serial: str
    parameters: tuple[str, ...] = ()


ARCHITECTURES = {
    "x86_64": Architecture("qemu-system-x86_64", "q35,i8042=off", "ttyS0", ("no_timer_check",)),
    "aarch64": Architecture("qemu-system-aarch64", "virt", "ttyAMA0"),
}


def architecture(machine: str | None = None) -> Architecture:
    """The entry for this host. Raises UserError on a machine we have none for."""
    name = machine or platform.machine()
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise UserError(
            f"the embedded provider knows no {name} machines (it knows {known})", hint="use another provider"
        ) from None
