"""Guests by Vagrant, on libvirt or VirtualBox: machines with a boot loader of their own, which a kernel is installed in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError, InfrastructureError, KdevopsError
from kdevops.guest import console as console_file
from kdevops.guest.ssh import SshTarget
from kdevops.guest.sysrq import press
from kdevops.lab.model import Lab
from kdevops.lab.vagrant import Vagrant
from kdevops.paths import socket_of, write_atomic
from kdevops.progress import Progress, Report, silent
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel, GuestStatus
from kdevops.providers.guest_files import LabDirectory, ensure_keys
from kdevops.providers.installation import Install, Installation
from kdevops.providers.remembered import DeathWatch, Machine
from kdevops.providers.vagrant_errors import translate
from kdevops.providers.vagrant_file import DirectKernel, VagrantBox, prefix, render
from kdevops.providers.vagrant_group import Group
from kdevops.providers.vagrant_hypervisors import Hypervisors, pidfile
from kdevops.providers.vagrant_tool import VagrantTool

STEP = "vagrant"
_ANSWER = 5.0
_BACK = 10.0
_PAST = 8 << 20
"""Bytes that are kept of what a machine's console said before it was started last."""
_ALWAYS = ("console=ttyS0", "loglevel=5", "oops=panic", "panic=-1", "random.trust_cpu=on")
"""As for the embedded guests, but that a machine reboots after a panic: into what its boot loader starts."""


@dataclass(frozen=True, slots=True)
class VagrantGuest:
    """One machine that is up."""

    provider: VagrantProvider
    name: str
    ssh: SshTarget
    stay: bool
    watch: DeathWatch

    @property
    def console(self) -> Path:
        """The recorded serial console."""
        return self.watch.console

    def alive(self) -> bool:
        """Whether the machine runs and has not panicked."""
        return self.watch.alive()

    async def gone(self) -> str:
        """Never: nobody else has a use for it."""
        return ""

    async def restarted(self) -> bool:
        """Never: its console tells of it."""
        return False

    async def discard(self) -> None:
        """Have the next `up` go back to the moment after the boot."""
        await self.ssh.disconnect()
        self.provider.remember(self.name, spoilt=True)

    async def down(self) -> None:
        """Remove it."""
        await self.ssh.disconnect()
        await self.provider.remove(self.name)

    async def sysrq(self, keys: str) -> None:
        """By the guest's own /proc/sysrq-trigger: a recorded console takes no keys."""
        await press(self.ssh, keys, timeout=_ANSWER * self.provider.factor)


@dataclass(frozen=True)
class VagrantProvider:
    """Machines of one lab. `box`, `kernel` and `install` may be missing as long as no guest is brought up."""

    lab: Lab
    directory: LabDirectory
    accel: Acceleration = field(default_factory=lambda: Acceleration("tcg", "", 1.0))
    box: VagrantBox | None = None
    kernel: BootKernel | None = None
    install: Install | None = None
    report: Report = silent
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict, repr=False, compare=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    @property
    def factor(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.factor

    async def render(self) -> None:
        """Keys, pinned host keys and the Vagrantfile with what it reads."""
        await ensure_keys(self.directory, self.lab.guest_names())
        self._render(self._direct(()) if self._vagrant.boot == "direct" else None)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), stay: bool = False, fresh: bool = False
    ) -> VagrantGuest:
        """Bring a machine up with the lab's kernel in it. Raises BootError, and KdevopsError for what Vagrant complains of."""
        words = (*_ALWAYS, *self._booted.cmdline, *self.lab.kernel.cmdline, *extra_cmdline)
        boots = _hash([self._booted.key, words])
        async with self._locks.setdefault(name, asyncio.Lock()):
            machine = await self._of_this_shape(name)
            usable = machine and not fresh and not machine.spoilt and await self._answers(name)
            if machine and usable and machine.boots == boots:
                return self.remember(name, stay=stay)
            if machine and machine.saved == boots and await self._restored(name):
                return self.remember(name, stay=stay)
            self.remember(name, boots="", saved="", spoilt=True)  # should we be killed here, it is made anew
            if self._vagrant.boot == "direct":
                await self._boot_directly(name, words, again=machine is not None)
            else:
                await self._boot_installed(name, words, usable=bool(usable), again=machine is not None)
            self.remember(name, boots=boots, kernel=self._booted.key, stay=stay, spoilt=False)
            await self._save(name, boots)
            return self.remember(name)

    def attach(self, name: str) -> VagrantGuest | None:
        """The guest if it was brought up; whether it still runs only Vagrant knows."""
        machine = self._machine(name)
        return self._guest(name, machine) if machine and machine.host else None

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, as Vagrant tells."""
        states = await self._tool.states() if self._rendered else {}
        return tuple(self._status(name, states.get(name, "")) for name in self.lab.guest_names())

    def command_lines(self) -> dict[str, list[str]]:
        """What Vagrant was told; the machines themselves are described by a file, of which this holds the hash."""
        path = self._root / "lab.json"
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
        return {name: ["vagrant", "up", name, f"lab.json={digest}"] for name in self.lab.guest_names()}

    async def down(self) -> None:
        """Remove every machine of this lab, also what an interrupted command left of one."""
        trouble: KdevopsError | None = None
        if self._rendered:
            try:
                await self._tool.destroy()
            except KdevopsError as error:
                trouble = error  # Vagrant may be wrong about what there is; what is found by name is there
        await self._sweep()
        if trouble and await self._hypervisors.found():
            raise trouble
        shutil.rmtree(self._root / ".vagrant", ignore_errors=True)
        for name in self.lab.guest_names():
            self._state(name).unlink(missing_ok=True)

    async def remove(self, name: str) -> None:
        """Remove one machine, and what may be left of it."""
        await self._group.destroy(name)
        await self._sweep(name)
        self._state(name).unlink(missing_ok=True)

    def remember(self, name: str, **changes: Any) -> VagrantGuest:
        """Change what is known of a machine that was made."""
        machine = replace(self._machine(name) or Machine(self._shape), **changes)
        machine.store(self._state(name))
        return self._guest(name, machine)

    async def _of_this_shape(self, name: str) -> Machine | None:
        """What is known of a machine; one for another box or size, or that was never finished, is removed first."""
        machine = self._machine(name)
        if machine and (machine.shape != self._shape or not machine.host):
            self._progress(f"{name} is made anew")
            await self.remove(name)
            return None
        return machine

    async def _boot_installed(self, name: str, words: tuple[str, ...], *, usable: bool, again: bool) -> None:
        console = self._console(name)
        offset = console_file.end_of(console)
        if not usable:
            if again:
                await self._hypervisors.power_off(name)
            self._keep_console(name)
            await self._start(name)
            self.remember(name, console=console_file.end_of(console))
        await self._installation(self._target(name), words, console, offset)
        self.remember(name, console=console_file.end_of(console))

    async def _boot_directly(self, name: str, words: tuple[str, ...], *, again: bool) -> None:
        """libvirt is told the kernel by the Vagrantfile, whose parameters count for new machines only."""
        async with self._one_at_a_time:
            self._render(self._direct(words))
            if again:
                await self._group.destroy(name)
            await self._start(name)

    async def _start(self, name: str) -> None:
        address = await self._group.start(name)
        self.remember(name, host=address.host, port=address.port)

    async def _answers(self, name: str) -> bool:
        guest = self.attach(name)
        if guest and guest.alive():
            with contextlib.suppress(KdevopsError):
                await guest.ssh.run(["true"], timeout=_ANSWER * self.factor)
                return True
        return False

    async def _save(self, name: str, boots: str) -> None:
        """Remember this moment, so that a reset takes seconds. A machine that cannot is booted anew instead."""
        await self._target(name).disconnect()
        try:
            await self._tool.save(name)
        except KdevopsError as error:
            self._progress(f"{name} takes no snapshots, its resets are reboots: {error.message}")
        else:
            self.remember(name, saved=boots)

    async def _restored(self, name: str) -> bool:
        """Whether the machine went back to the moment that was remembered."""
        machine = self._machine(name)
        assert machine
        target = self._target(name)
        await target.disconnect()
        self._progress(f"{name} goes back to its snapshot")
        self._keep_console(name)
        try:
            await self._tool.restore(name, timeout=self._group.deadline(1))
            self.remember(name, console=console_file.end_of(self._console(name)), boots=machine.saved, spoilt=False)
            # A bridge takes some seconds to let a new machine's packets through.
            if not await target.answers(timeout=_BACK * self.factor):
                raise InfrastructureError("it does not answer over ssh")
            # The guest's clock stands where it stood.
            await target.run(["date", "-s", f"@{time.time():.0f}"], timeout=_ANSWER * self.factor)
        except KdevopsError as error:
            self._progress(f"{name} cannot go back to its snapshot: {error.message}")
            return False
        return True

    def _keep_console(self, name: str) -> None:
        """Put what the console has to its past: a hypervisor that starts a machine may begin the file anew."""
        console = self._console(name)
        if text := console.read_bytes()[-_PAST:] if console.exists() else b"":
            past = console.with_name("console.past.log")
            kept = past.read_bytes() if past.exists() else b""
            write_atomic(past, (kept + text)[-_PAST:], mode=0o600)

    async def _sweep(self, name: str = "") -> None:
        try:
            await self._hypervisors.remove(name)
        except CommandError as error:
            raise translate(error.output, command="the removal of machines", log=self._tool.log) from None

    def _direct(self, words: tuple[str, ...]) -> DirectKernel:
        return DirectKernel(self._booted.image, words, self._booted.initrd)

    def _render(self, direct: DirectKernel | None) -> None:
        assert self.box
        driver = "kvm" if self.accel.kind == "kvm" else "qemu"
        render(self.lab, self.directory, self.box, driver=driver, kernel=direct)  # type: ignore[arg-type]

    def _progress(self, detail: str) -> None:
        self.report(Progress(STEP, detail))

    @property
    def _vagrant(self) -> Vagrant:
        assert isinstance(self.lab.provider, Vagrant)
        return self.lab.provider

    @property
    def _booted(self) -> BootKernel:
        assert self.kernel
        return self.kernel

    @property
    def _root(self) -> Path:
        return self.directory.path / "vagrant"

    @property
    def _rendered(self) -> bool:
        return (self._root / "Vagrantfile").exists()

    @cached_property
    def _tool(self) -> VagrantTool:
        def tell(line: str) -> None:
            if line.startswith("==> ") and ":  --" not in line:  # which is one of many settings
                self._progress(line.removeprefix("==> ").strip())

        return VagrantTool(self._root, self.directory.path / "vagrant.log", self._vagrant.backend, tell)

    @cached_property
    def _group(self) -> Group:
        return Group(self._tool, self._vagrant.boot_timeout * self.factor)

    @cached_property
    def _installation(self) -> Installation:
        return Installation(self.install)

    @cached_property
    def _hypervisors(self) -> Hypervisors:
        return Hypervisors(self._vagrant, prefix(self.directory.path, self.lab))

    @cached_property
    def _shape(self) -> str:
        facts = [self.lab.guests.model_dump(mode="json", exclude={"image", "count"})]
        facts += [self._vagrant.model_dump(mode="json", exclude={"boot_timeout", "accel"})]
        return _hash([*facts, self.box.name if self.box else "", self.accel.kind])

    def _machine(self, name: str) -> Machine | None:
        return Machine.load(self._state(name))

    def _state(self, name: str) -> Path:
        return self.directory.guest(name) / "vagrant.json"

    def _console(self, name: str) -> Path:
        return self.directory.guest(name) / "console.log"

    def _target(self, name: str) -> SshTarget:
        machine = self._machine(name)
        assert machine
        lab, control = self.directory, socket_of(self.directory.guest(name), "ssh")
        return SshTarget(name, machine.host, machine.port, "root", lab.key, lab.known_hosts, control)

    def _guest(self, name: str, machine: Machine) -> VagrantGuest:
        domain = prefix(self.directory.path, self.lab) + name
        number = self.lab.guest_names().index(name) if name in self.lab.guest_names() else 0
        hypervisors = self._vagrant.hypervisors
        local = pidfile(hypervisors[number % len(hypervisors)], domain) if self._vagrant.backend == "libvirt" else None
        watch = DeathWatch(self._console(name), machine.console, local)
        return VagrantGuest(self, name, self._target(name), machine.stay, watch)

    def _status(self, name: str, state: str) -> GuestStatus:
        machine = self._machine(name)
        if state != "running" or not machine:
            return GuestStatus(name, "stopped")
        return GuestStatus(name, "running", machine.host, machine.port, str(self._console(name)), machine.kernel)


def _hash(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
