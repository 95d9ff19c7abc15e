"""One Vagrant lab on this side: its files, the records of its machines, and their ssh addresses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kdevops.files import write_atomic
from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import Lab
from kdevops.lab.vagrant import Vagrant
from kdevops.paths import socket_of
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.shared.machine_state import DeathWatch, MachineState
from kdevops.providers.vagrant.hypervisors import jump_to, pidfile
from kdevops.providers.vagrant.render import DirectKernel, VagrantBox, prefix, render

_PAST = 8 << 20
"""Bytes kept of a machine's console output before its last start."""


@dataclass(frozen=True)
class VagrantLab:
    """A lab with Vagrant as its provider, and the directory with all its files. Rendering needs a `box`."""

    lab: Lab
    directory: LabDirectory
    accel: Acceleration
    box: VagrantBox | None = None

    @property
    def vagrant(self) -> Vagrant:
        """The provider's section of the lab file."""
        return self.lab.provider_as(Vagrant)

    @property
    def root(self) -> Path:
        """The directory in which Vagrant runs."""
        return self.directory.path / "vagrant"

    @property
    def log(self) -> Path:
        """The file to which all of Vagrant's output is appended."""
        return self.directory.path / "vagrant.log"

    @property
    def rendered(self) -> bool:
        """Whether there is a Vagrantfile."""
        return (self.root / "Vagrantfile").exists()

    @property
    def prefix(self) -> str:
        """The prefix of the lab's machine names at the hypervisor."""
        return prefix(self.directory.path, self.lab)

    @cached_property
    def shape(self) -> str:
        """A hash of the machines' definition."""
        facts = [self.lab.guests.model_dump(mode="json", exclude={"image", "count"})]
        facts += [self.vagrant.model_dump(mode="json", exclude={"boot_timeout", "accel"})]
        return digest([*facts, self.box.name if self.box else "", self.accel.kind])

    def render(self, kernel: DirectKernel | None) -> None:
        """Write Vagrant's files; the hypervisor boots `kernel`."""
        assert self.box
        driver = "kvm" if self.accel.kind == "kvm" else "qemu"
        render(self.lab, self.directory, self.box, driver=driver, kernel=kernel)  # type: ignore[arg-type]

    def machine(self, name: str) -> MachineState | None:
        """The record of a machine."""
        return MachineState.load(self._state(name))

    def remember(self, name: str, **changes: Any) -> MachineState:
        """Update the record of a machine."""
        machine = replace(self.machine(name) or MachineState(self.shape), **changes)
        machine.store(self._state(name))
        return machine

    def forget(self, name: str) -> None:
        """Forget a machine that is gone."""
        self._state(name).unlink(missing_ok=True)

    def target(self, name: str) -> SshTarget:
        """How to reach a started machine."""
        machine = self.machine(name)
        assert machine
        lab, jump = self.directory, jump_to(self.hypervisor(name))
        control = socket_of(lab.guest(name), "ssh")
        return SshTarget(name, machine.host, machine.port, "root", lab.key, lab.known_hosts, control, jump)

    def watch(self, name: str, machine: MachineState) -> DeathWatch:
        """The watch that tells whether a started machine still runs the same kernel."""
        local = pidfile(self.hypervisor(name), self.prefix + name)
        return DeathWatch(self.console(name), machine.console, local)

    def hypervisor(self, name: str) -> str:
        """The URI of libvirt for a machine; "" for VirtualBox."""
        if self.vagrant.backend != "libvirt":
            return ""
        number = self.lab.guest_names().index(name) if name in self.lab.guest_names() else 0
        return self.vagrant.hypervisors[number % len(self.vagrant.hypervisors)]

    def console(self, name: str) -> Path:
        """The file with a machine's recorded console."""
        return self.directory.guest(name) / "console.log"

    def keep_console(self, name: str) -> None:
        """Archive the console, because VirtualBox overwrites the file when a machine starts; libvirt appends."""
        console = self.console(name)
        if self.vagrant.backend == "virtualbox" and (text := _end_of(console)):
            past = console.with_name("console.past.log")
            write_atomic(past, (_end_of(past) + text)[-_PAST:], mode=0o600)

    def _state(self, name: str) -> Path:
        return self.directory.guest(name) / "vagrant.json"


def _end_of(console: Path) -> bytes:
    try:
        with console.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _PAST))
            return file.read()
    except OSError:
        return b""


def digest(facts: Sequence[Any]) -> str:
    """A hash of these facts, which are JSON values."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
