"""The embedded provider: guests under QEMU, without a daemon and without root."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdevops.errors import BootError, InfrastructureError, KdevopsError, UserError
from kdevops.guest import console as console_file
from kdevops.guest.image import BaseImage
from kdevops.guest.ssh import SshTarget, wait_for_banner
from kdevops.lab.model import Lab, Qemu
from kdevops.paths import socket_dir, write_atomic
from kdevops.process import install_hint
from kdevops.providers import qemu_keeper, qmp
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.architecture import architecture
from kdevops.providers.base import BootKernel, GuestStatus
from kdevops.providers.guest_files import (
    ROOT_SERIAL,
    SEED_SERIAL,
    LabDirectory,
    ensure_keys,
    make_disk,
    make_overlay,
    ssh_target,
    write_seed,
)
from kdevops.providers.qemu_machine import DiskFile, Machine, command_line

_CONSOLE_LIMIT = 16 << 20
_PORT_TRIES = 5
_PANIC = ("oops=panic", "panic=-1", "panic_on_warn=0")
"""An oops ends the guest at once, and with -no-reboot its QEMU: nothing runs on in a kernel that is already broken."""


@dataclass(frozen=True, slots=True)
class QemuGuest:
    """One guest; a handle that can be made anew at any time from what is on disk."""

    provider: QemuProvider
    name: str
    ssh: SshTarget
    stay: bool

    @property
    def console(self) -> Path:
        """The recorded serial console."""
        return self.provider.directory.guest(self.name) / "console.log"

    def alive(self) -> bool:
        """Whether QEMU runs."""
        return self.provider.keeper_pid(self.name) is not None

    async def reset(self, extra_cmdline: Sequence[str] = ()) -> None:
        """A fresh boot on a fresh root, with the same address."""
        await self.provider.up(self.name, extra_cmdline=extra_cmdline, stay=self.stay, fresh=True)

    async def down(self) -> None:
        """Stop it."""
        await self.provider.stop(self.name)


@dataclass(frozen=True)
class QemuProvider:
    """Guests of one lab. `image` and `kernel` may be missing as long as no guest is booted (status, attach, down)."""

    lab: Lab
    directory: LabDirectory
    accel: Acceleration = field(default_factory=lambda: Acceleration("tcg", "", 1.0))
    image: BaseImage | None = None
    kernel: BootKernel | None = None
    keepers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False, compare=False)
    """The keepers this process started. Each holds the lifeline of a guest that is not to stay: it must live as long as we."""

    @property
    def factor(self) -> float:
        """How much slower than real hardware guests are."""
        return self.accel.factor

    async def render(self) -> None:
        """Keys and pinned host keys of every guest."""
        await ensure_keys(self.directory, self.lab.guest_names())

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), stay: bool = False, fresh: bool = False
    ) -> QemuGuest:
        """Bring a guest up, or return it at once when it runs just this and answers. Raises BootError, UserError."""
        if not fresh and (guest := await self._healthy(name, extra_cmdline)):
            return guest
        await self.stop(name)
        for attempt in range(1, _PORT_TRIES + 1):
            port = self._pick_port(name)
            if await self._boot(name, port, tuple(extra_cmdline), stay=stay):
                return self._guest(name, port, stay=stay)
            if self._qemu.ssh_port:
                raise self._port_taken(port)
            if attempt == _PORT_TRIES:
                raise BootError(f"guest {name}: no free port was found for ssh in {_PORT_TRIES} tries")
        raise AssertionError

    def attach(self, name: str) -> QemuGuest | None:
        """The guest if it runs, whatever it booted."""
        facts = self._facts(name)
        if self.keeper_pid(name) is None or not facts:
            return None
        return self._guest(name, int(facts["port"]), stay=bool(facts["stay"]))

    def status(self) -> tuple[GuestStatus, ...]:
        """All guests that the lab names, and any other that still runs."""
        there = {path.name for path in self.directory.guest("x").parent.glob("*") if self.keeper_pid(path.name)}
        names = [*self.lab.guest_names(), *sorted(there - set(self.lab.guest_names()))]
        return tuple(self._status(name) for name in names)

    def command_lines(self) -> dict[str, list[str]]:
        """The QEMU command line with which each guest was last started, for the record."""
        lines = {}
        for name in self.lab.guest_names():
            with contextlib.suppress(OSError, ValueError, KeyError):
                lines[name] = json.loads((self.directory.guest(name) / "keeper.json").read_text())["argv"]
        return lines

    async def down(self) -> None:
        """Stop every guest of this lab, also such as an interrupted command left."""
        async with asyncio.TaskGroup() as group:
            for guest in self.status():
                group.create_task(self.stop(guest.name))

    async def stop(self, name: str) -> None:
        """Stop one guest: ask QEMU, then insist. Its disks stay, its root overlay does not."""
        directory = self.directory.guest(name)
        if (port := self._facts(name).get("port")) is not None:
            await self._guest(name, int(port), stay=False).ssh.disconnect()
        if self.keeper_pid(name):
            with contextlib.suppress(InfrastructureError):
                await qmp.execute(self._socket(name, "qmp"), "quit", timeout=5)
        elif name in self.keepers:
            self.keepers[name].terminate()  # it may not have taken its lock yet
        for action in (signal.SIGTERM, signal.SIGKILL):
            if await self._gone(name, 5):
                break
            if pid := self.keeper_pid(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, action)
        if not await self._gone(name, 10):
            raise InfrastructureError(f"guest {name} could not be stopped", log=directory / "qemu.log")
        for leftover in ("root.qcow2", "boot.json"):
            (directory / leftover).unlink(missing_ok=True)

    def keeper_pid(self, name: str) -> int | None:
        """The process that keeps the guest, None when there is none: it holds a lock as long as it lives."""
        try:
            descriptor = os.open(self.directory.guest(name) / "keeper.lock", os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or 0) or None
        finally:
            os.close(descriptor)
        return None

    @property
    def _qemu(self) -> Qemu:
        return self.lab.provider

    async def _healthy(self, name: str, extra_cmdline: Sequence[str]) -> QemuGuest | None:
        guest = self.attach(name)
        if guest is None or self._facts(name).get("boots") != self._boots(tuple(extra_cmdline)):
            return None
        try:
            await guest.ssh.run(["true"], timeout=5 * self.factor)
        except KdevopsError:
            return None
        return guest

    async def _boot(self, name: str, port: int, extra_cmdline: tuple[str, ...], *, stay: bool) -> bool:
        """Start QEMU and wait for ssh. False when the port was taken meanwhile. Raises BootError."""
        directory = self.directory.guest(name)
        argv = await self._prepare(name, port, extra_cmdline)
        offset = console_file.end_of(directory / "console.log")
        keeper = self._start_keeper(name, argv, stay=stay)
        facts = {
            "port": port,
            "stay": stay,
            "boots": self._boots(extra_cmdline),
            "argv": argv,
            "kernel": self._booted.key,
        }
        write_atomic(directory / "boot.json", json.dumps(facts))
        deadline = self._qemu.boot_timeout * self.factor
        guest = self._guest(name, port, stay=stay)
        try:
            if await wait_for_banner(guest.ssh.host, port, timeout=deadline, gone=lambda: keeper.poll() is not None):
                await guest.ssh.run(["true"], timeout=deadline)
                return True
        except KdevopsError:
            pass
        except BaseException:
            await asyncio.shield(self.stop(name))
            raise
        ended = keeper.poll() is not None
        await self.stop(name)
        complaint = _last_lines(directory / "qemu.log")
        if ended and "Could not set up host forwarding rule" in complaint:
            return False
        spoken = "\n".join(console_file.read_since(directory / "console.log", offset)[-25:])
        what = _why_not_booted(ended=ended, deadline=deadline, complaint=complaint, spoken=spoken)
        raise BootError(f"guest {name}: {what}", console=spoken, console_offset=offset, log=directory / "console.log")

    async def _prepare(self, name: str, port: int, extra_cmdline: tuple[str, ...]) -> list[str]:
        assert self.image
        directory = self.directory.guest(name)
        if not (directory / "ssh_host_ed25519_key").exists():
            await self.render()
        (directory / "qemu.log").unlink(missing_ok=True)
        overlay = directory / "root.qcow2"
        await make_overlay(overlay, self.image.path, self.image.format)
        disks = [
            DiskFile(overlay, ROOT_SERIAL, "qcow2"),
            DiskFile(write_seed(self.directory, name), SEED_SERIAL, read_only=True),
            *await self._extra_disks(directory),
        ]
        guests = self.lab.guests
        qmp_socket = self._socket(name, "qmp")
        machine = Machine(
            name, guests.cpus, guests.memory, tuple(disks), port, qmp_socket, self._qemu.network == "outgoing"
        )
        init = (f"init={self.image.init}",) if self.image.init else ()
        append = (
            f"root={self.image.root}",
            "rw",
            *init,
            *_PANIC,
            *self._booted.cmdline,
            *self.lab.kernel.cmdline,
            *extra_cmdline,
        )
        return command_line(machine, self._booted, self.accel, append=append, binary=self._qemu.binary)

    async def _extra_disks(self, directory: Path) -> list[DiskFile]:
        sizes = [disk.size for disk in self.lab.guests.disks for _ in range(disk.count)]
        disks = [DiskFile(directory / f"disk{number}.raw", f"kd-{number}") for number in range(len(sizes))]
        for disk, size in zip(disks, sizes, strict=True):
            await make_disk(disk.path, size)
        return disks

    def _start_keeper(self, name: str, argv: list[str], *, stay: bool) -> subprocess.Popen[bytes]:
        if shutil.which(argv[0]) is None:
            raise InfrastructureError(f"{argv[0]} is not installed", hint=install_hint(architecture().binary))
        directory = self.directory.guest(name)
        config = {
            "argv": argv,
            "directory": str(directory),
            "console_socket": str(self._socket(name, "console")),
            "limit": _CONSOLE_LIMIT,
            "lifeline": not stay,
        }
        (directory / "exit.json").unlink(missing_ok=True)
        write_atomic(directory / "keeper.json", json.dumps(config))
        # The lifeline is the write end of the keeper's stdin: held by this process, and closed by the kernel with it.
        with (directory / "qemu.log").open("ab") as log:
            self.keepers[name] = subprocess.Popen(
                [sys.executable, "-ISE", qemu_keeper.__file__, directory / "keeper.json"],
                stdin=subprocess.DEVNULL if stay else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        return self.keepers[name]

    def _pick_port(self, name: str) -> int:
        first = self._qemu.ssh_port
        if first:
            names = self.lab.guest_names()
            port = first + (names.index(name) if name in names else 0)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise self._port_taken(port) from None
            return port
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def _port_taken(self, port: int) -> UserError:
        return UserError(
            f"port {port} on 127.0.0.1, asked for by provider.ssh_port, is already taken",
            hint="choose another ssh_port, or leave it out: then any free port is taken",
        )

    async def _gone(self, name: str, seconds: float) -> bool:
        for _ in range(int(seconds / 0.02)):
            keeper = self.keepers.get(name)
            if self.keeper_pid(name) is None and (keeper is None or keeper.poll() is not None):
                self.keepers.pop(name, None)
                return True
            await asyncio.sleep(0.02)
        return False

    @property
    def _booted(self) -> BootKernel:
        assert self.kernel
        return self.kernel

    def _boots(self, extra_cmdline: tuple[str, ...]) -> str:
        """What makes a running guest the one that is asked for."""
        assert self.image
        facts: list[object] = [self._booted.key, self._booted.cmdline, extra_cmdline, self.image.key, self.accel.kind]
        facts += [self.lab.kernel.cmdline, self.lab.guests.model_dump(mode="json"), self._qemu.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _facts(self, name: str) -> dict[str, Any]:
        try:
            facts = json.loads((self.directory.guest(name) / "boot.json").read_text())
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def _guest(self, name: str, port: int, *, stay: bool) -> QemuGuest:
        return QemuGuest(self, name, ssh_target(self.directory, name, port, self._socket(name, "ssh")), stay)

    def _socket(self, name: str, kind: str) -> Path:
        digest = hashlib.sha256(f"{self.directory.path}/{name}".encode()).hexdigest()[:12]
        return socket_dir() / f"{digest}.{kind}"

    def _status(self, name: str) -> GuestStatus:
        facts = self._facts(name)
        if self.keeper_pid(name) is None:
            return GuestStatus(name, "stopped")
        console = self.directory.guest(name) / "console.log"
        return GuestStatus(
            name, "running", "127.0.0.1", int(str(facts.get("port", 0))), str(console), str(facts.get("kernel", ""))
        )


def _last_lines(path: Path) -> str:
    try:
        return path.read_bytes()[-4096:].decode(errors="replace").strip()
    except OSError:
        return ""


def _why_not_booted(*, ended: bool, deadline: float, complaint: str, spoken: str) -> str:
    panic = next((line for line in spoken.splitlines() if "Kernel panic" in line), None)
    if panic:
        return f"the kernel panicked before ssh: {panic.partition('Kernel panic')[2].lstrip(' -:')}"
    if ended and not spoken:
        return f"QEMU ended at once: {complaint.splitlines()[-1] if complaint else 'it did not say why'}"
    if ended:
        return "the machine ended before ssh answered"
    return f"no answer over ssh within {deadline:.0f} s"
