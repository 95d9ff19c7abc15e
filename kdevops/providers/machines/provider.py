"""Guests on remote machines with their own boot loader: in a cloud, or existing hosts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError, InfrastructureError
from kdevops.guest import console as console_file
from kdevops.lab.model import Lab
from kdevops.process import run
from kdevops.progress import Progress, Report, silent
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.address import Address, is_absent, is_running
from kdevops.providers.base import BootKernel, GuestStatus
from kdevops.providers.machines import disks as remote_disks
from kdevops.providers.machines.base import Machines
from kdevops.providers.machines.boots import BACK, STEP, Boots
from kdevops.providers.machines.guest import ANSWER, RemoteGuest
from kdevops.providers.machines.memory import Memory, hash_of
from kdevops.providers.machines.reset import COMMAND
from kdevops.providers.machines.way import Found, Trust, Way, boot_again, trust, way_up
from kdevops.providers.shared.batch import Batcher
from kdevops.providers.shared.installation import Install
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.shared.machine_state import DeathWatch, MachineState
from kdevops.providers.shared.recorder import Recorders
from kdevops.text import clean

_ALWAYS = ("loglevel=5", "oops=panic", "random.trust_cpu=on")
"""As for the embedded guests; the console and the reaction to a panic are up to the boot loader."""


@dataclass(frozen=True)
class RemoteProvider:
    """The machines of one lab. `kernel` and `install` are only needed to bring machines up.

    `preexisting`: the machines were not created for the lab, and it leaves them as they are.
    """

    lab: Lab
    directory: LabDirectory
    machines: Machines
    accel: Acceleration
    kernel: BootKernel | None = None
    install: Install | None = None
    preexisting: bool = False
    report: Report = silent
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict, repr=False, compare=False)
    _addresses: dict[str, Address] = field(default_factory=dict, repr=False, compare=False)
    _recorders: Recorders = field(default_factory=Recorders, repr=False, compare=False)

    @property
    def slowdown(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.slowdown

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> RemoteGuest:
        """Bring a machine up with the lab's kernel. Raises BootError, and KdevopsError for what is unavailable."""
        assert self.kernel
        words = self.parameters(extra_cmdline)
        boots = hash_of([self.kernel.key, words])
        async with self._locks.setdefault(name, asyncio.Lock()):
            offset = console_file.end_of(self.console(name))
            address, now = await self._had(name, boots, fresh=fresh)
            found = self._found(self._memory.known(name, address.identity), boots, now, fresh=fresh)
            match way_up(found):
                case Way.KEEP:
                    await self._boots.link_disks(name, address)  # the lab may name others now
                    return self.remember(name, persist=persist)
                case Way.REFUSE:
                    raise self._boots.silent(name, address, "its machine does not come up", offset)
                case Way.RESET:
                    await self._boots.reset(name, address, found.used, answers=bool(now))
                case Way.INSTALL:
                    pass
            self.remember(name, shape=self._memory.shape, identity=address.identity, boots="")
            boot_id = await self._boots.install_kernel(name, address, words, offset)
            if boot_again(found, boot_id):
                await self._boots.reset(name, address, found.used, answers=True)
                boot_id = await self._boots.install_kernel(name, address, words, offset)
            await self._recorders.renew(name)
            end = console_file.end_of(self.console(name))
            facts = {"host": address.host, "port": address.port, "kernel": self.kernel.key, "console": end}
            return self.remember(name, boots=boots, boot_id=boot_id, persist=persist, spoilt=False, **facts)

    def _found(self, machine: MachineState | None, boots: str, now: str, *, fresh: bool) -> Found:
        if machine is None:
            return Found(now=now, fresh=fresh, preexisting=self.preexisting)
        same = machine.boots == boots
        return Found(now, True, machine.boot_id, same, machine.spoilt, fresh, self.preexisting)

    def attach(self, name: str) -> RemoteGuest | None:
        """The guest if it was brought up; whether the machine still runs it is not checked."""
        machine, address = self._memory.of(name), self._address(name)
        return self._guest(name, machine, address) if machine and machine.host and address else None

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, as the machine source reports them."""
        states = await self.machines.states()
        return tuple(self._status(name, states.get(name, "stopped")) for name in self.lab.guest_names())

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The kernel parameters of a guest."""
        assert self.kernel
        return (*_ALWAYS, *self.kernel.cmdline, *self.lab.kernel.cmdline, *extra_cmdline)

    def command_lines(self) -> dict[str, list[str]]:
        """How each machine was created."""
        return dict(self.machines.command_lines())

    async def down(self) -> None:
        """Give all machines of this lab back, including leftovers of an interrupted command."""
        names = self.lab.guest_names()
        await asyncio.gather(*(self._let_go(name) for name in names))
        await self.machines.stop()
        self._forget(names)

    async def remove(self, name: str) -> None:
        """Give one machine back."""
        await self._let_go(name)
        await self._stop(name)
        self._forget((name,))

    def remember(self, name: str, **changes: Any) -> RemoteGuest:
        """Update the record of a known machine."""
        machine = self._memory.change(name, **changes)
        address = self._address(name)
        assert address
        return self._guest(name, machine, address)

    def console(self, name: str) -> Path:
        """The file with the machine's recorded console."""
        return self.directory.guest(name) / "console.log"

    def saw_end(self, name: str) -> bool:
        """Whether a polled console showed the kernel's end."""
        return self._recorders.ended(name)

    async def gone(self, name: str, address: Address) -> str:
        """Why a machine is gone, in words; "" while it exists, and if that is unknown."""
        await self._recorders.catch_up(name)
        if not address.state:
            return ""
        try:
            state = (await run(address.state, timeout=COMMAND)).stdout.strip()
        except CommandError as error:
            if error.returncode is None or not is_absent(error.output):
                self._tell(f"cannot query the state of {name}: {error.message}")
                return ""
            state = ""
        return (
            ""
            if is_running(state)
            else f"the machine of guest {name} was taken away: it is {clean(state, 40) or 'gone'}"
        )

    async def restarted(self, name: str, address: Address, boot_id: str) -> bool:
        """Whether the machine answers in another boot; without a console, its last messages are fetched then."""
        await self._boots.target(name, address).disconnect()
        now = await self._boots.answering(name, address, BACK if address.console else self._boots.boot_timeout)
        if not now or now == boot_id:
            return False
        await self._boots.last_words(name, address)
        return True

    async def _had(self, name: str, boots: str, *, fresh: bool) -> tuple[Address, str]:
        """The machine's address, and the id of its boot, "" if it does not answer or will be reset anyway.

        Returns the recorded address while it is valid, else asks the machine source. `boots` identifies what will be
        booted.
        """
        address = self._address(name)
        machine = self._memory.known(name, address.identity) if address else None
        if address and machine and machine.host:
            self._record(name, address)
            doomed = bool(address.reset) and self._found(machine, boots, "", fresh=fresh).unfit
            now = "" if doomed else await self._boots.answering(name, address, ANSWER)
            worth = trust(now, machine.boot_id, doomed=doomed, preexisting=self.preexisting)
            if worth is Trust.YES or (worth is Trust.UNLESS_GONE and not await self.gone(name, address)):
                return address, now
        self._addresses.pop(name, None)
        await self._start(name)
        if name not in self._addresses:  # a call for it alone raises the reason
            self._addresses.update(await self.machines.start((name,)))
        if name not in self._addresses:
            raise InfrastructureError(f"there is no machine for guest {name}")
        address = self._addresses[name]
        self._memory.forget_another(name, address.identity)
        self._record(name, address)
        patient = not self.preexisting and self._memory.known(name, address.identity) is None  # it was just created
        return address, await self._boots.answering(name, address, self._boots.boot_timeout if patient else ANSWER)

    def _record(self, name: str, address: Address) -> None:
        """Record the machine's console, if it has one, from now until it is given back."""
        self.console(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        def complain(text: str) -> None:
            self.report(Progress(f"console of {name}", text, done=True))

        async def lives() -> bool:
            machine = self._memory.of(name)
            with contextlib.suppress(InfrastructureError):
                now = await self._boots.answering(name, address, ANSWER)
                return machine is not None and (not machine.boots or now == machine.boot_id)
            return False

        self._recorders.begin(name, address, self.console(name), complain, lives)

    async def _let_go(self, name: str) -> None:
        """End recording, disk names and connections of a machine."""
        await self._recorders.stop(name)
        guest = self.attach(name)
        if guest is None:
            return
        if self.preexisting and guest.address.disks:
            # One that does not answer has lost the names when it answers again.
            with contextlib.suppress(InfrastructureError):
                await remote_disks.unlink(guest.ssh, timeout=ANSWER * self.slowdown)
        await guest.ssh.disconnect()

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._addresses.pop(name, None)
            self._memory.forget(name)

    async def _start_all(self, names: tuple[str, ...]) -> None:
        self._addresses.update(await self.machines.start(names))

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self.lab, self.directory, self.preexisting)

    @cached_property
    def _boots(self) -> Boots:
        return Boots(
            self.lab, self.directory, self.slowdown, self.preexisting, self.install, self.report, self._recorders
        )

    @cached_property
    def _start(self) -> Batcher:
        return Batcher(self._start_all)

    @cached_property
    def _stop(self) -> Batcher:
        return Batcher(self.machines.stop)

    def _address(self, name: str) -> Address | None:
        return self._addresses.get(name) or self.machines.known().get(name)

    def _guest(self, name: str, machine: MachineState, address: Address) -> RemoteGuest:
        watch = DeathWatch(self.console(name), machine.console) if address.console_streams else None
        return RemoteGuest(
            self, name, self._boots.target(name, address), machine.persist, address, machine.boot_id, watch
        )

    def _status(self, name: str, state: str) -> GuestStatus:
        machine = self._memory.of(name)
        if not machine or not machine.host:
            # An existing host is not the lab's until it was used; a machine created for the lab always is.
            if self.preexisting:
                return GuestStatus(name, "stopped")
            address = self.machines.known().get(name)
            return GuestStatus(name, state, address.host if address else "", address.port if address else 0)
        console = str(self.console(name))
        return GuestStatus(name, state, machine.host, machine.port, console, machine.kernel)

    def _tell(self, detail: str) -> None:
        self.report(Progress(STEP, detail, done=True))
