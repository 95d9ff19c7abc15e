"""The embedded provider: guests under QEMU, without a daemon and without root."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import BootError, InfrastructureError, KdevopsError, UserError
from kdevops.guest import console as console_file
from kdevops.guest.ssh import SshTarget, wait_for_banner
from kdevops.images.image import BaseImage
from kdevops.images.initramfs import GAVE_UP
from kdevops.lab.model import Lab, Qemu
from kdevops.lab.servers import Server
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel, GuestStatus, PayloadDisk
from kdevops.providers.qemu import qmp
from kdevops.providers.qemu.attach import send_console
from kdevops.providers.qemu.command_line import DiskFile, QemuArgs, Wire, command_line
from kdevops.providers.qemu.disks import ROOT_SERIAL, SEED_SERIAL, lend, make_overlay, ssh_target, write_seed
from kdevops.providers.qemu.process import QemuProcess
from kdevops.providers.shared.lab_directory import LabDirectory, ensure_keys, make_disk

_PORT_TRIES = 5
_BREAK = 0.5
"""Seconds for a break or a key to reach the guest's kernel, which waits five seconds for the key."""
_ALWAYS = ("loglevel=5", "oops=panic", "panic=-1", "random.trust_cpu=on")
"""Warnings and worse on the console. An oops ends the guest at once, and with -no-reboot its QEMU: nothing continues in
a broken kernel. sshd does not wait a second for entropy."""


@dataclass(frozen=True, slots=True)
class QemuGuest:
    """One guest; a handle that can be recreated at any time from its files."""

    provider: QemuProvider
    name: str
    ssh: SshTarget
    persist: bool

    @property
    def console(self) -> Path:
        """The recorded serial console."""
        return self.provider.process(self.name).console

    def alive(self) -> bool:
        """Whether QEMU runs."""
        return self.provider.process(self.name).pid() is not None

    async def gone(self) -> str:
        """Why its QEMU ended, if the guest did not end it: it was killed, or failed."""
        return await self.provider.process(self.name).ended_from_outside()

    async def held(self) -> str:
        """Why QEMU, or what stopped it, keeps the guest from running."""
        return await self.provider.process(self.name).held()

    async def restarted(self) -> bool:
        """Never: QEMU ends with the kernel."""
        return False

    async def discard(self) -> None:
        """Stop it: the next boot is on a fresh root in any case."""
        await self.down()

    async def down(self) -> None:
        """Stop it."""
        await self.provider.stop(self.name)

    async def sysrq(self, keys: str) -> None:
        """Send a break on the serial line before each key (Documentation/admin-guide/sysrq.rst)."""
        process = self.provider.process(self.name)
        for key in keys:
            await qmp.execute(process.socket("qmp"), "chardev-send-break", {"id": "console"})
            await asyncio.sleep(_BREAK)  # break and key reach QEMU separately, and the kernel needs this order
            await send_console(process.socket("console"), key)
            await asyncio.sleep(_BREAK)


@dataclass(frozen=True)
class QemuProvider:
    """Guests of one lab. `image` and `kernel` are only needed to boot guests, not for status, attach and down.

    `servers` are guests of their own, whose disks are empty at each boot. Bring up clients after their servers: a
    client whose server was rebooted since then counts as running something else.
    """

    lab: Lab
    directory: LabDirectory
    accel: Acceleration = field(default_factory=lambda: Acceleration("tcg", "", 1.0))
    image: BaseImage | None = None
    kernel: BootKernel | None = None
    payloads: tuple[PayloadDisk, ...] = ()
    servers: tuple[Server, ...] = ()
    _processes: dict[str, QemuProcess] = field(default_factory=dict, repr=False, compare=False)

    @property
    def slowdown(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.slowdown

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all guests: those that run tests, then their servers."""
        return (*self.lab.guest_names(), *(server.name for server in self.servers))

    def process(self, name: str) -> QemuProcess:
        """The QEMU of a guest, running or not."""
        return self._processes.setdefault(name, QemuProcess(self.directory.guest(name)))

    async def render(self) -> None:
        """Create the keys and pinned host keys of every guest."""
        await ensure_keys(self.directory, self.names)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> QemuGuest:
        """Bring a guest up, or return it at once if it already runs exactly this and answers.

        Raises BootError, UserError, and InfrastructureError if the guest itself did not fail.
        """
        if not fresh and (guest := await self._healthy(name, extra_cmdline)):
            return guest
        await self.stop(name)
        for _ in range(_PORT_TRIES):
            port = self._pick_port(name)
            if await self._boot(name, port, tuple(extra_cmdline), persist=persist):
                return self._guest(name, port, persist=persist)
            if self._qemu.ssh_port:
                raise _port_taken(port)
        raise BootError(f"guest {name}: no free port found for ssh in {_PORT_TRIES} tries")

    def attach(self, name: str) -> QemuGuest | None:
        """The guest if it runs, regardless of what it booted."""
        process = self.process(name)
        facts = process.facts
        if process.pid() is None or not facts:
            return None
        return self._guest(name, int(facts["port"]), persist=bool(facts["stay"]))

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, and any others that still run."""
        known = self.names
        there = sorted(path.name for path in self.directory.guest("x").parent.glob("*"))
        return tuple(map(self._status, [*known, *(n for n in there if n not in known and self.process(n).pid())]))

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The kernel parameters of a guest."""
        return (*_ALWAYS, *self._booted.cmdline, *self.lab.kernel.cmdline, *extra_cmdline)

    def command_lines(self) -> dict[str, list[str]]:
        """The QEMU command line of each guest's last start, for the record."""
        lines = {name: self.process(name).command_line for name in self.names}
        return {name: argv for name, argv in lines.items() if argv}

    async def down(self) -> None:
        """Stop all guests of this lab, including leftovers of an interrupted command."""
        async with asyncio.TaskGroup() as group:
            for guest in await self.status():
                group.create_task(self.stop(guest.name))

    async def stop(self, name: str) -> None:
        """Stop one guest. Raises InfrastructureError."""
        if guest := self.attach(name):
            await guest.ssh.disconnect()
        await self.process(name).stop()

    @property
    def _qemu(self) -> Qemu:
        return self.lab.provider_as(Qemu)

    async def _healthy(self, name: str, extra_cmdline: Sequence[str]) -> QemuGuest | None:
        guest = self.attach(name)
        if guest is None or self.process(name).facts.get("boots") != self._boots(name, tuple(extra_cmdline)):
            return None
        try:
            await guest.ssh.run(["true"], timeout=5 * self.slowdown)
        except KdevopsError:
            return None
        return guest

    async def _boot(self, name: str, port: int, extra_cmdline: tuple[str, ...], *, persist: bool) -> bool:
        """Start QEMU and wait for ssh. False if the port was taken in the meantime. Raises BootError."""
        process = self.process(name)
        argv = await self._prepare(name, port, extra_cmdline)
        offset = console_file.end_of(process.console)
        facts = {
            "port": port,
            "boots": self._boots(name, extra_cmdline),
            "kernel": self._booted.key,
            "boot": secrets.token_hex(8),
        }
        process.start(argv, facts, persist=persist)
        deadline = self._qemu.boot_timeout * self.slowdown
        guest = self._guest(name, port, persist=persist)
        refusal = ""
        try:
            if await wait_for_banner(guest.ssh.host, port, timeout=deadline, gone=process.ended, held=process.held):
                await guest.ssh.run(["true"], timeout=deadline)
                return True
        except KdevopsError as error:
            refusal = error.message
        except BaseException:
            await asyncio.shield(self.stop(name))
            raise
        ended = process.ended()
        outside = await process.ended_from_outside() if ended else await process.held()
        await self.stop(name)
        complaint = process.complaint()
        if ended and "Could not set up host forwarding rule" in complaint:
            return False
        spoken = "\n".join(console_file.read_since(process.console, offset)[-25:])
        silence = refusal or f"no answer over ssh within {deadline:.0f} s"
        what = _why_not_booted(ended=ended, silence=silence, complaint=complaint, spoken=spoken, outside=outside)
        if outside:  # says nothing about the kernel
            raise InfrastructureError(f"guest {name}: {what}", log=process.console)
        raise BootError(
            f"guest {name}: {what}",
            console=spoken,
            console_offset=offset,
            recorded=process.console,
            unanswered=not refusal,  # a guest with an sshd greeting has booted
        )

    async def _prepare(self, name: str, port: int, extra_cmdline: tuple[str, ...]) -> list[str]:
        """Create the guest's files, and return the QEMU command line that uses them."""
        assert self.image
        directory = self.directory.guest(name)
        server = self._server(name)
        interfaces = [each.interface(name) for each in self._networks(name)]
        overlay = directory / "root.qcow2"
        await make_overlay(overlay, self.image.path, self.image.format)
        disks = (
            DiskFile(overlay, ROOT_SERIAL, "qcow2"),
            DiskFile(write_seed(self.directory, name, interfaces), SEED_SERIAL, read_only=True),
            *self._extra_disks(directory, server),
            *[await lend(payload, directory) for payload in self.payloads if not server],
        )
        args = QemuArgs(
            name,
            self.lab.guests.cpus,
            self.lab.guests.memory,
            disks,
            port,
            self.process(name).socket("qmp"),
            outgoing=self._qemu.network == "outgoing",
            wires=tuple(self._wire(each, name) for each in self._networks(name)),
        )
        words = self.parameters(extra_cmdline)
        append = (*self.image.cmdline, *words)
        return command_line(args, self._booted, self.accel, append=append, binary=self._qemu.binary)

    def _server(self, name: str) -> Server | None:
        return next((server for server in self.servers if server.name == name), None)

    def _networks(self, name: str) -> list[Server]:
        """The servers whose networks a guest is on: its own servers, or itself."""
        return [server for server in self.servers if name == server.name or name in server.clients]

    def _wire(self, server: Server, name: str) -> Wire:
        hub = name == server.name
        sockets = [self.process(client).socket(server.role) for client in (server.clients if hub else (name,))]
        return Wire(server.interface(name).mac, tuple(sockets), hub)

    def _extra_disks(self, directory: Path, server: Server | None) -> list[DiskFile]:
        sizes = [disk.size for disk in self.lab.guests.disks for _ in range(disk.count)]
        if server:
            sizes = list(server.disks)
            for number in range(len(sizes)):
                (directory / f"disk{number}.raw").unlink(missing_ok=True)
        disks = [DiskFile(directory / f"disk{number}.raw", f"kd-{number}") for number in range(len(sizes))]
        for disk, size in zip(disks, sizes, strict=True):
            make_disk(disk.path, size)
        return disks

    def _pick_port(self, name: str) -> int:
        names = self.names
        wanted = self._qemu.ssh_port and self._qemu.ssh_port + (names.index(name) if name in names else 0)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted or 0))
            except OSError:
                raise _port_taken(wanted or 0) from None
            return int(probe.getsockname()[1])

    @property
    def _booted(self) -> BootKernel:
        assert self.kernel
        return self.kernel

    def _boots(self, name: str, extra_cmdline: tuple[str, ...]) -> str:
        """A hash that identifies a running guest as the requested one."""
        assert self.image
        facts: list[object] = [self._booted.key, self._booted.cmdline, extra_cmdline, self.image.key, self.accel.kind]
        facts += [(payload.serial, str(payload.path)) for payload in self.payloads]
        facts += [self.lab.kernel.cmdline, self.lab.guests.model_dump(mode="json"), self._qemu.model_dump(mode="json")]
        facts += [
            each.clients if each.name == name else self.process(each.name).facts.get("boot")
            for each in self._networks(name)
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _guest(self, name: str, port: int, *, persist: bool) -> QemuGuest:
        target = ssh_target(self.directory, name, port, self.process(name).socket("ssh"))
        return QemuGuest(self, name, target, persist)

    def _status(self, name: str) -> GuestStatus:
        process = self.process(name)
        if process.pid() is None:
            return GuestStatus(name, "stopped")
        facts = process.facts
        port, kernel = int(facts.get("port", 0)), str(facts.get("kernel", ""))
        return GuestStatus(name, "running", "127.0.0.1", port, str(process.console), kernel)


def _port_taken(port: int) -> UserError:
    return UserError(
        f"port {port} on 127.0.0.1, requested by provider.ssh_port, is already in use",
        hint="choose another ssh_port, or remove it to use any free port",
    )


def _why_not_booted(*, ended: bool, silence: str, complaint: str, spoken: str, outside: str) -> str:
    if ended and "-netdev stream" in complaint and "arameter '" in complaint:
        return "this QEMU cannot make a network between guests: QEMU 7.2 or newer is needed"
    if outside:
        return outside
    for line in reversed(spoken.splitlines()):
        if GAVE_UP in line:
            return line.partition(GAVE_UP)[2]
    panic = next((line for line in spoken.splitlines() if "Kernel panic" in line), None)
    if panic:
        return f"the kernel panicked before ssh: {panic.partition('Kernel panic')[2].lstrip(' -:')}"
    if ended and not spoken:
        return f"QEMU ended at once: {complaint.splitlines()[-1] if complaint else 'it gave no reason'}"
    if ended:
        return "the machine ended before ssh answered"
    return silence
