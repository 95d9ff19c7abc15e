"""Guests by Vagrant, on libvirt or VirtualBox: machines with a boot loader of their own, which a kernel is installed in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError, KdevopsError
from kdevops.guest.ssh import SshTarget
from kdevops.guest.sysrq import press
from kdevops.lab.model import Lab
from kdevops.progress import Progress, Report, silent
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.address import Address
from kdevops.providers.base import BootKernel, GuestStatus
from kdevops.providers.shared.installation import Install, Installation
from kdevops.providers.shared.lab_directory import LabDirectory, ensure_keys
from kdevops.providers.shared.machine_state import DeathWatch, Machine
from kdevops.providers.shared.recorder import Recorders
from kdevops.providers.vagrant.boot import ANSWER, Boots, direct
from kdevops.providers.vagrant.box import present
from kdevops.providers.vagrant.errors import translate
from kdevops.providers.vagrant.group import Group
from kdevops.providers.vagrant.hypervisors import Hypervisors, console_of
from kdevops.providers.vagrant.lab import VagrantLab, digest
from kdevops.providers.vagrant.render import VagrantBox
from kdevops.providers.vagrant.tool import VagrantTool
from kdevops.providers.vagrant.upload import Uploads

STEP = "vagrant"
_ALWAYS = ("console=ttyS0", "loglevel=5", "oops=panic", "panic=-1", "no_timer_check", "random.trust_cpu=on")
"""As for the embedded guests, but that a machine reboots after a panic: into what its boot loader starts. For
`no_timer_check` see `architecture`."""


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
        """Why its hypervisor does not run it, where neither its kernel ended nor its guest wanted that."""
        self.watch.alive()
        return "" if self.watch.told else await self.provider.stopped(self.name)

    async def held(self) -> str:
        """Nobody can tell in so short a time."""
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
        await press(self.ssh, keys, timeout=ANSWER * self.provider.factor)


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
    _recorders: Recorders = field(default_factory=Recorders, repr=False, compare=False)

    @property
    def factor(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.factor

    @property
    def has_machines(self) -> bool:
        """Whether there are machines of this lab, as far as this side knows."""
        return any(self._known.machine(name) for name in self.lab.guest_names())

    async def stopped(self, name: str) -> str:
        """Why a machine does not run though its guest did not end it; "" where nobody can tell."""
        return await self._hypervisors.stopped(name)

    async def ask_hypervisors(self) -> None:
        """Raise KdevopsError for a hypervisor that does not answer."""
        try:
            await self._hypervisors.found()
        except CommandError as error:
            raise translate(error.output, command="virsh") from None

    async def render(self) -> None:
        """Keys, pinned host keys and the Vagrantfile with what it reads."""
        await ensure_keys(self.directory, self.lab.guest_names())
        self._known.render(direct(self._booted, ()) if self._known.vagrant.boot == "direct" else None)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), stay: bool = False, fresh: bool = False
    ) -> VagrantGuest:
        """Bring a machine up with the lab's kernel in it. Raises BootError, and KdevopsError for what Vagrant complains of."""
        words = self.parameters(extra_cmdline)
        boots = digest([self._booted.key, words])
        async with self._locks.setdefault(name, asyncio.Lock()):
            machine = await self._of_this_shape(name)
            usable = machine and not fresh and not machine.spoilt and await self._answers(name)
            if machine:
                self._record(name)
            if machine and usable and machine.boots == boots:
                return self.remember(name, stay=stay)
            if machine and not fresh and machine.saved == boots and await self._boots.restored(name):
                return self.remember(name, stay=stay)
            if machine is None:
                await self._provide_box()
                self._hypervisors.remember()
            self.remember(name, boots="", saved="", spoilt=True)  # should we be killed here, it is made anew
            try:
                if self._known.vagrant.boot == "direct":
                    await self._boots.directly(name, self._booted, words, again=machine is not None)
                else:
                    await self._boots.installed(name, words, usable=bool(usable), again=machine is not None)
            except BaseException:
                await self._leave_nothing(name, stay=stay)
                raise
            self._uploads.done(name)
            self.remember(name, boots=boots, kernel=self._booted.key, stay=stay, spoilt=False)
            await self._boots.save(name, boots)
            return self.remember(name)

    def attach(self, name: str) -> VagrantGuest | None:
        """The guest if it was brought up; whether it still runs only Vagrant knows."""
        machine = self._known.machine(name)
        return self._guest(name, machine) if machine and machine.host else None

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, as Vagrant tells."""
        states = await self._tool.states() if self._known.rendered and self.has_machines else {}
        return tuple(self._status(name, states.get(name, "")) for name in self.lab.guest_names())

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The parameters that a guest's kernel is started with."""
        return (*_ALWAYS, *self._booted.cmdline, *self.lab.kernel.cmdline, *extra_cmdline)

    def command_lines(self) -> dict[str, list[str]]:
        """What Vagrant was told; the machines themselves are described by a file, of which this holds the hash."""
        path = self._known.root / "lab.json"
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
        return {name: ["vagrant", "up", name, f"lab.json={content}"] for name in self.lab.guest_names()}

    async def down(self) -> None:
        """Remove every machine of this lab, also what an interrupted command left of one."""
        trouble: KdevopsError | None = None
        if self._known.rendered:
            try:
                await self._tool.destroy()
            except KdevopsError as error:
                trouble = error  # Vagrant may be wrong about what there is; what is found by name is there
        await self._boots.sweep()
        await self._uploads.mend()
        unseen = self.has_machines and self._hypervisors.silent
        if trouble and (unseen or await self._hypervisors.found()):
            raise trouble
        shutil.rmtree(self._known.root / ".vagrant", ignore_errors=True)
        for name in self.lab.guest_names():
            self._known.forget(name)

    async def remove(self, name: str) -> None:
        """Remove one machine, and what may be left of it."""
        await self._recorders.stop(name)
        await self._boots.remove(name)
        await self._uploads.mend(name)

    def remember(self, name: str, **changes: Any) -> VagrantGuest:
        """Change what is known of a machine that was made."""
        return self._guest(name, self._known.remember(name, **changes))

    async def _of_this_shape(self, name: str) -> Machine | None:
        """What is known of a machine; one for another box or size, or that was never finished, is removed first."""
        machine = self._known.machine(name)
        if machine and (machine.shape != self._known.shape or not machine.host):
            self._progress(f"{name} is made anew")
            await self.remove(name)
            return None
        return machine

    async def _provide_box(self) -> None:
        """Have the box here whole, whatever an interrupted command left of it."""
        async with self._locks.setdefault("", asyncio.Lock()):  # no guest is called so
            await self._uploads.mend()
            box, backend = self._known.box, self._known.vagrant.backend
            if not box or present(box.name, backend, box.version):
                return
            self._progress(f"box {box.name} is fetched")
            try:
                await self._tool.add_box(box, lambda done: self.report(Progress(STEP, f"box {box.name}", done)))
            except KdevopsError:
                if not present(box.name, backend, box.version):  # else another Vagrant was quicker
                    raise

    async def _leave_nothing(self, name: str, *, stay: bool) -> None:
        """Remove a machine that did not come up; one that came so far as to be reached is left to whoever wanted it."""
        machine = self._known.machine(name)
        if machine is None or machine.host:
            return
        if stay:
            self._progress(f"{name} may be left half made, kdevops down removes it")
            return
        self._progress(f"{name} is removed, for it did not come up")
        try:
            await asyncio.shield(self.remove(name))
        except KdevopsError as error:
            self._progress(f"{name} could not be removed, kdevops down tries again: {error.message}")

    async def _answers(self, name: str) -> bool:
        guest = self.attach(name)
        if guest and guest.alive():
            with contextlib.suppress(KdevopsError):
                await guest.ssh.run(["true"], timeout=ANSWER * self.factor)
                return True
        return False

    def _guest(self, name: str, machine: Machine) -> VagrantGuest:
        return VagrantGuest(self, name, self._known.target(name), machine.stay, self._known.watch(name, machine))

    def _record(self, name: str) -> None:
        """Have the console of a machine elsewhere recorded here; libvirt itself does it for one of this machine."""
        command = console_of(self._known.hypervisor(name), self._known.prefix + name)
        address = Address("", console=command, console_streams=True)

        def complain(text: str) -> None:
            self._progress(f"console of {name}: {text.replace(sys.executable, 'virsh')}")

        async def lives() -> bool:
            return True

        self._recorders.begin(name, address, self._known.console(name), complain, lives)

    def _status(self, name: str, state: str) -> GuestStatus:
        machine = self._known.machine(name)
        if state != "running" or not machine:
            return GuestStatus(name, "stopped")
        console = str(self._known.console(name))
        return GuestStatus(name, "running", machine.host, machine.port, console, machine.kernel)

    def _progress(self, detail: str) -> None:
        self.report(Progress(STEP, detail))

    @property
    def _booted(self) -> BootKernel:
        assert self.kernel
        return self.kernel

    @cached_property
    def _known(self) -> VagrantLab:
        return VagrantLab(self.lab, self.directory, self.accel, self.box)

    @cached_property
    def _tool(self) -> VagrantTool:
        def tell(line: str) -> None:
            self._uploads.hear(line)
            if line.startswith("==> ") and ":  --" not in line:  # which is one of many settings
                self._progress(line.removeprefix("==> ").strip())

        return VagrantTool(self._known.root, self._known.log, self._known.vagrant.backend, tell)

    @cached_property
    def _hypervisors(self) -> Hypervisors:
        return Hypervisors(self._known.vagrant, self._known.prefix, self.directory.path / "hypervisors.json")

    @cached_property
    def _uploads(self) -> Uploads:
        return Uploads(self._known, self._hypervisors, self._progress)

    @cached_property
    def _boots(self) -> Boots:
        group = Group(self._tool, self._known.vagrant.boot_timeout * self.factor)
        return Boots(
            self._known, self._tool, group, self._hypervisors, Installation(self.install), self._progress, self._record
        )
