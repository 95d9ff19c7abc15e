"""The architectures that the embedded provider supports."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from kdevops.errors import UserError


@dataclass(frozen=True, slots=True)
class Architecture:
    """Properties of one architecture.

    `i8042=off` saves the kernel a search for a PS/2 mouse, 0.7 s with an emulated CPU. `parameters` are kernel
    parameters: x86 checks timer interrupts against a loop during boot, and panics ("IO-APIC + timer doesn't work") if
    the host was too busy to run the guest. KVM guests skip that check by themselves (arch/x86/kernel/kvm.c).
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
    """The entry for this host. Raises UserError on an unsupported machine."""
    name = machine or platform.machine()
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise UserError(
            f"the embedded provider does not support {name} machines (only {known})", hint="use another provider"
        ) from None
