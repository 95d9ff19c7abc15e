"""Guests from Vagrant, on libvirt or VirtualBox: machines with their own boot loader, which get a kernel installed."""

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
from kdevops.providers.shared.machine_state import DeathWatch, MachineState
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
"""As for the embedded guests, except that a machine reboots after a panic into its boot loader's default. For
`no_timer_check` see `architecture`."""


@dataclass(frozen=True, slots=True)
class VagrantGuest:
    """One running machine."""

    provider: VagrantProvider
    name: str
    ssh: SshTarget
    persist: bool
    watch: DeathWatch

    @property
    def console(self) -> Path:
        """The recorded serial console."""
        return self.watch.console

    def alive(self) -> bool:
        """Whether the machine runs and has not panicked."""
        return self.watch.alive()

    async def gone(self) -> str:
        """Why its hypervisor does not run it, if neither its kernel nor its guest ended it."""
        self.watch.alive()
        return "" if self.watch.saw_end else await self.provider.stopped(self.name)

    async def held(self) -> str:
        """Unknown: a query takes too long."""
        return ""

    async def restarted(self) -> bool:
        """Never: its console shows that."""
        return False

    async def discard(self) -> None:
        """Make the next `up` go back to the moment after the boot."""
        await self.ssh.disconnect()
        self.provider.remember(self.name, spoilt=True)

    async def down(self) -> None:
        """Remove it."""
        await self.ssh.disconnect()
        await self.provider.remove(self.name)

    async def sysrq(self, keys: str) -> None:
        """Through the guest's own /proc/sysrq-trigger: a recorded console accepts no keys."""
        await press(self.ssh, keys, timeout=ANSWER * self.provider.slowdown)


@dataclass(frozen=True)
class VagrantProvider:
    """Machines of one lab. `box`, `kernel` and `install` are only needed to bring guests up."""

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
    def slowdown(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.slowdown

    @property
    def has_machines(self) -> bool:
        """Whether this lab has machines, according to its records."""
        return any(self._known.machine(name) for name in self.lab.guest_names())

    async def stopped(self, name: str) -> str:
        """Why a machine does not run although its guest did not end it; "" if that is unknown."""
        return await self._hypervisors.stopped(name)

    async def ask_hypervisors(self) -> None:
        """Raise KdevopsError for a hypervisor that does not answer."""
        try:
            await self._hypervisors.found()
        except CommandError as error:
            raise translate(error.output, command="virsh") from None

    async def render(self) -> None:
        """Create keys, pinned host keys, and the Vagrantfile with its data."""
        await ensure_keys(self.directory, self.lab.guest_names())
        self._known.render(direct(self._booted, ()) if self._known.vagrant.boot == "direct" else None)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> VagrantGuest:
        """Bring a machine up with the lab's kernel. Raises BootError, and KdevopsError for errors of Vagrant."""
        words = self.parameters(extra_cmdline)
        boots = digest([self._booted.key, words])
        async with self._locks.setdefault(name, asyncio.Lock()):
            machine = await self._of_this_shape(name)
            usable = machine and not fresh and not machine.spoilt and await self._answers(name)
            if machine:
                self._record(name)
            if machine and usable and machine.boots == boots:
                return self.remember(name, persist=persist)
            if machine and not fresh and machine.saved == boots and await self._boots.restored(name):
                return self.remember(name, persist=persist)
            if machine is None:
                await self._provide_box()
                self._hypervisors.remember()
            self.remember(name, boots="", saved="", spoilt=True)  # if we are killed here, it is recreated
            try:
                if self._known.vagrant.boot == "direct":
                    await self._boots.directly(name, self._booted, words, again=machine is not None)
                else:
                    await self._boots.installed(name, words, usable=bool(usable), again=machine is not None)
            except BaseException:
                await self._leave_nothing(name, persist=persist)
                raise
            self._uploads.done(name)
            self.remember(name, boots=boots, kernel=self._booted.key, persist=persist, spoilt=False)
            await self._boots.save(name, boots)
            return self.remember(name)

    def attach(self, name: str) -> VagrantGuest | None:
        """The guest if it was brought up; only Vagrant knows whether it still runs."""
        machine = self._known.machine(name)
        return self._guest(name, machine) if machine and machine.host else None

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, as Vagrant reports them."""
        states = await self._tool.states() if self._known.rendered and self.has_machines else {}
        return tuple(self._status(name, states.get(name, "")) for name in self.lab.guest_names())

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The kernel parameters of a guest."""
        return (*_ALWAYS, *self._booted.cmdline, *self.lab.kernel.cmdline, *extra_cmdline)

    def command_lines(self) -> dict[str, list[str]]:
        """Vagrant's command; the machines are described by a file, whose hash is included."""
        path = self._known.root / "lab.json"
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
        return {name: ["vagrant", "up", name, f"lab.json={content}"] for name in self.lab.guest_names()}

    async def down(self) -> None:
        """Remove all machines of this lab, including leftovers of an interrupted command."""
        trouble: KdevopsError | None = None
        if self._known.rendered:
            try:
                await self._tool.destroy()
            except KdevopsError as error:
                trouble = error  # Vagrant may be wrong about what exists; the search by name is reliable
        await self._boots.sweep()
        await self._uploads.mend()
        unseen = self.has_machines and self._hypervisors.silent
        if trouble and (unseen or await self._hypervisors.found()):
            raise trouble
        shutil.rmtree(self._known.root / ".vagrant", ignore_errors=True)
        for name in self.lab.guest_names():
            self._known.forget(name)

    async def remove(self, name: str) -> None:
        """Remove one machine, including leftovers."""
        await self._recorders.stop(name)
        await self._boots.remove(name)
        await self._uploads.mend(name)

    def remember(self, name: str, **changes: Any) -> VagrantGuest:
        """Update the record of a machine."""
        return self._guest(name, self._known.remember(name, **changes))

    async def _of_this_shape(self, name: str) -> MachineState | None:
        """The record of a machine; one with another box or size, or an unfinished one, is removed first."""
        machine = self._known.machine(name)
        if machine and (machine.shape != self._known.shape or not machine.host):
            self._progress(f"{name} is recreated")
            await self.remove(name)
            return None
        return machine

    async def _provide_box(self) -> None:
        """Make the box available, whatever an interrupted command left of it."""
        async with self._locks.setdefault("", asyncio.Lock()):  # no guest has this name
            await self._uploads.mend()
            box, backend = self._known.box, self._known.vagrant.backend
            if not box or present(box.name, backend, box.version):
                return
            self._progress(f"downloading box {box.name}")
            try:
                await self._tool.add_box(box, lambda done: self.report(Progress(STEP, f"box {box.name}", done)))
            except KdevopsError:
                if not present(box.name, backend, box.version):  # another Vagrant may have added it
                    raise

    async def _leave_nothing(self, name: str, *, persist: bool) -> None:
        """Remove a machine that did not come up; one that was reachable is left as it is."""
        machine = self._known.machine(name)
        if machine is None or machine.host:
            return
        if persist:
            self._progress(f"{name} may be left half made, kdevops down removes it")
            return
        self._progress(f"{name} is removed, because it did not come up")
        try:
            await asyncio.shield(self.remove(name))
        except KdevopsError as error:
            self._progress(f"{name} could not be removed, kdevops down will try again: {error.message}")

    async def _answers(self, name: str) -> bool:
        guest = self.attach(name)
        if guest and guest.alive():
            with contextlib.suppress(KdevopsError):
                await guest.ssh.run(["true"], timeout=ANSWER * self.slowdown)
                return True
        return False

    def _guest(self, name: str, machine: MachineState) -> VagrantGuest:
        return VagrantGuest(self, name, self._known.target(name), machine.persist, self._known.watch(name, machine))

    def _record(self, name: str) -> None:
        """Record the console of a machine elsewhere; on this machine libvirt does that."""
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
            if line.startswith("==> ") and ":  --" not in line:  # the latter is one of many settings
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
        group = Group(self._tool, self._known.vagrant.boot_timeout * self.slowdown)
        return Boots(
            self._known, self._tool, group, self._hypervisors, Installation(self.install), self._progress, self._record
        )
