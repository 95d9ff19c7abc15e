"""One lab of Vagrant's as this side knows it: its files, what is remembered of each machine, and where their ssh is."""

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
from kdevops.providers.shared.machine_state import DeathWatch, Machine
from kdevops.providers.vagrant.hypervisors import jump_to, pidfile
from kdevops.providers.vagrant.render import DirectKernel, VagrantBox, prefix, render

_PAST = 8 << 20
"""Bytes that are kept of what a machine's console said before it was started last."""


@dataclass(frozen=True)
class VagrantLab:
    """A lab whose provider is Vagrant, with the directory that holds all there is of it. Without a `box` nothing is rendered."""

    lab: Lab
    directory: LabDirectory
    accel: Acceleration
    box: VagrantBox | None = None

    @property
    def vagrant(self) -> Vagrant:
        """What the lab file says of the provider."""
        return self.lab.provider_as(Vagrant)

    @property
    def root(self) -> Path:
        """The directory that Vagrant is run in."""
        return self.directory.path / "vagrant"

    @property
    def log(self) -> Path:
        """The file that all is appended to that Vagrant says."""
        return self.directory.path / "vagrant.log"

    @property
    def rendered(self) -> bool:
        """Whether Vagrant has anything to read there."""
        return (self.root / "Vagrantfile").exists()

    @property
    def prefix(self) -> str:
        """What the names of the lab's machines begin with at their hypervisor."""
        return prefix(self.directory.path, self.lab)

    @cached_property
    def shape(self) -> str:
        """A hash of what the machines are made as."""
        facts = [self.lab.guests.model_dump(mode="json", exclude={"image", "count"})]
        facts += [self.vagrant.model_dump(mode="json", exclude={"boot_timeout", "accel"})]
        return digest([*facts, self.box.name if self.box else "", self.accel.kind])

    def render(self, kernel: DirectKernel | None) -> None:
        """Write what Vagrant reads; `kernel` is booted by the hypervisor."""
        assert self.box
        driver = "kvm" if self.accel.kind == "kvm" else "qemu"
        render(self.lab, self.directory, self.box, driver=driver, kernel=kernel)  # type: ignore[arg-type]

    def machine(self, name: str) -> Machine | None:
        """What is remembered of a machine."""
        return Machine.load(self._state(name))

    def remember(self, name: str, **changes: Any) -> Machine:
        """Change what is remembered of a machine that was made."""
        machine = replace(self.machine(name) or Machine(self.shape), **changes)
        machine.store(self._state(name))
        return machine

    def forget(self, name: str) -> None:
        """The machine is gone."""
        self._state(name).unlink(missing_ok=True)

    def target(self, name: str) -> SshTarget:
        """How to reach a machine that was started."""
        machine = self.machine(name)
        assert machine
        lab, jump = self.directory, jump_to(self.hypervisor(name))
        control = socket_of(lab.guest(name), "ssh")
        return SshTarget(name, machine.host, machine.port, "root", lab.key, lab.known_hosts, control, jump)

    def watch(self, name: str, machine: Machine) -> DeathWatch:
        """What tells whether a machine that was started still runs the same kernel."""
        local = pidfile(self.hypervisor(name), self.prefix + name)
        return DeathWatch(self.console(name), machine.console, local)

    def hypervisor(self, name: str) -> str:
        """The URI of libvirt where a machine is; "" for one of VirtualBox."""
        if self.vagrant.backend != "libvirt":
            return ""
        number = self.lab.guest_names().index(name) if name in self.lab.guest_names() else 0
        return self.vagrant.hypervisors[number % len(self.vagrant.hypervisors)]

    def console(self, name: str) -> Path:
        """Where a machine's console is recorded."""
        return self.directory.guest(name) / "console.log"

    def keep_console(self, name: str) -> None:
        """Put what the console has to its past, for VirtualBox begins the file anew when a machine starts; libvirt appends."""
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
    """A hash by which these facts, JSON values, are known again."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
