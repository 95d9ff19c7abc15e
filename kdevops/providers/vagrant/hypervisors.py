"""Direct requests to the hypervisors, for what Vagrant cannot do.

Vagrant forgets a machine whose creation was interrupted, or that vanished, and then leaves its domain and its disks;
they are found by the prefix that only this lab's names have. And `vagrant halt --force` asks a libvirt guest to shut
down and waits for a minute, which is useless after a panic.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kdevops.errors import CommandError, InfrastructureError
from kdevops.files import write_atomic
from kdevops.lab.vagrant import Vagrant
from kdevops.process import run
from kdevops.text import clean as clean_text

_TIMEOUT = 60.0
_SAID = 200
_UNLOCK_TRIES = 10
_UNLOCK_PAUSE = 1.0
_LOCKED = re.compile(r"while it is locked|VBOX_E_INVALID_OBJECT_STATE")
"""VBoxManage's error for a machine that is off but still locked by its process."""
_UNKNOWN = re.compile(r"VBOX_E_OBJECT_NOT_FOUND|Could not find a registered machine")
_ENGLISH = {"LC_ALL": "C", "LANGUAGE": ""}
"""Error messages are recognised in English only."""
_NOT_THERE = re.compile(r"no storage (?:vol|pool) with matching")
# tools/virsh-domain-monitor.c of libvirt. Caused by the guest: "shutdown", or "paused" for its watchdog or a panic.
_LIBVIRT_STOPPED = re.compile(r"shut off \((?:crashed|destroyed|failed|daemon)\)|paused \((?!watchdog|crashed).*\)")
# src/VBox/Frontends/VBoxManage/VBoxManageInfo.cpp: "aborted" if its process was killed, "paused" also for a full disk.
_VIRTUALBOX_STOPPED = re.compile(r'^VMState="(aborted|paused|gurumeditation)"$', re.MULTILINE)
_LOCAL = {None, "localhost", "127.0.0.1", "::1"}
_ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
_DISKS = r"(?:\..*|-[a-z]+\..*)?"
"""What follows a machine's name in the names of its disks: `.img` for the first, `-vdb.qcow2` for others."""
Pool = tuple[str, str]
"""libvirt's URI and pool; ("", "") is VirtualBox."""


@dataclass(frozen=True, slots=True)
class Hypervisors:
    """The hypervisors with the machines, disks and networks that have the lab's prefix.

    The places where machines were created are stored in the file `note`, because the lab file may change before they
    are removed.
    """

    vagrant: Vagrant
    prefix: str
    note: Path | None = None

    @property
    def silent(self) -> bool:
        """Whether virsh or VBoxManage is missing, so that nothing can be found or removed here."""
        return not any(map(_can_ask, self._present()))

    async def found(self) -> list[str]:
        """The names of the existing machines. Raises CommandError if the hypervisor does not answer."""
        pattern = self._pattern("")
        if self.vagrant.backend == "virtualbox":
            return await _virtualbox_machines(pattern)
        return [name for uri in self._uris() for name in await _named(uri, pattern, "list", "--all", "--name")]

    def remember(self) -> None:
        """Record that machines are about to be created."""
        self._keep({*self._noted(), *self._present()})

    async def remove(self, name: str = "") -> None:
        """Remove all machines, or those of one guest; also where they were created earlier.

        Raises CommandError if a hypervisor refuses, InfrastructureError if one does that the lab no longer names.
        """
        for pool_at in filter(_can_ask, dict.fromkeys([*self._present(), *sorted(self._noted())])):
            former = pool_at not in self._present()
            try:
                await _sweep(pool_at, self._pattern(name))
                clean = not name or (former and not await _left(pool_at, self._pattern("")))
            except CommandError as error:
                if not former:
                    raise
                raise InfrastructureError(
                    f"{pool_at[0] or 'VirtualBox'}, where the lab's guests were before, does not let them be removed: "
                    f"{clean_text(error.output or error.message, _SAID)}",
                    hint=f"fix that; or, if it is gone for good: rm {shlex.quote(str(self.note))}",
                ) from None
            if clean:
                self._keep(self._noted() - {pool_at})

    async def power_off(self, name: str) -> None:
        """Switch a machine off at once; no error if it is off or does not exist."""
        if self.vagrant.backend == "virtualbox":
            await _said(["VBoxManage", "controlvm", self.prefix + name, "poweroff"], check=False)
        for uri in self._uris():
            await _virsh(uri, "destroy", self.prefix + name, check=False)

    async def stopped(self, name: str) -> str:
        """Why a machine does not run, if its guest did not cause that; "" otherwise, and if it is unknown."""
        with contextlib.suppress(InfrastructureError):
            if self.vagrant.backend == "virtualbox":
                told = await _said(["VBoxManage", "showvminfo", self.prefix + name, "--machinereadable"], check=False)
                if match := _VIRTUALBOX_STOPPED.search(told):
                    return f"VirtualBox says that its machine is {match[1]}"
            for uri in self._uris():
                state = (await _virsh(uri, "domstate", self.prefix + name, "--reason", check=False)).strip()
                if _LIBVIRT_STOPPED.fullmatch(state):
                    return f"libvirt says that its machine is {state}"
        return ""

    async def remove_partial(self, uri: str, pool: str, volume: str, size: int) -> bool:
        """Remove a volume with less than `size` bytes; returns whether there was one. Raises CommandError."""
        try:
            told = await _virsh(uri, "vol-info", "--bytes", "--physical", "--pool", pool, volume)
        except CommandError as error:
            if _NOT_THERE.search(error.output):
                return False
            raise
        physical = re.search(r"^Physical:\s+(\d+)", told, re.MULTILINE)
        if not physical or int(physical[1]) >= size:
            return False
        await _virsh(uri, "vol-delete", "--pool", pool, volume)
        return True

    def _present(self) -> list[Pool]:
        if self.vagrant.backend == "virtualbox":
            return [("", "")]
        return [(uri, self.vagrant.pool) for uri in self.vagrant.hypervisors]

    def _noted(self) -> set[Pool]:
        try:
            return {(str(uri), str(pool)) for uri, pool in json.loads(self.note.read_bytes())} if self.note else set()
        except (OSError, ValueError, TypeError):
            return set()

    def _keep(self, pools: set[Pool]) -> None:
        if self.note and pools != self._noted():
            write_atomic(self.note, json.dumps(sorted(pools)), mode=0o600)
        if self.note and not pools:
            self.note.unlink(missing_ok=True)

    def _uris(self) -> tuple[str, ...]:
        return self.vagrant.hypervisors if self.vagrant.backend == "libvirt" and not self.silent else ()

    def _pattern(self, name: str) -> re.Pattern[str]:
        return re.compile(re.escape(self.prefix + name) + (_DISKS if name else ".*"))


def _can_ask(pool_at: Pool) -> bool:
    return shutil.which("virsh" if pool_at[0] else "VBoxManage") is not None


async def _sweep(pool_at: Pool, pattern: re.Pattern[str]) -> None:
    uri, pool = pool_at
    if not uri:
        await _sweep_virtualbox(pattern)
        return
    for name in await _named(uri, pattern, "list", "--all", "--name"):
        await _virsh(uri, "destroy", name, check=False)  # fails if it does not run
        # The options are harmless if the machine has nothing of the kind.
        await _virsh(uri, "undefine", name, "--managed-save", "--snapshots-metadata", "--nvram")
    for name in await _named(uri, pattern, "net-list", "--all", "--name"):
        await _virsh(uri, "net-destroy", name, check=False)  # fails if it is not active
        await _virsh(uri, "net-undefine", name)
    for volume in await _volumes(uri, pool, pattern):
        await _virsh(uri, "vol-delete", "--pool", pool, volume)


async def _left(pool_at: Pool, pattern: re.Pattern[str]) -> list[str]:
    uri, pool = pool_at
    if not uri:
        return await _virtualbox_machines(pattern)
    return [*await _named(uri, pattern, "list", "--all", "--name"), *await _volumes(uri, pool, pattern)]


async def _volumes(uri: str, pool: str, pattern: re.Pattern[str]) -> list[str]:
    listed = await _virsh(uri, "vol-list", "--pool", pool, check=False)  # a missing pool contains nothing
    return [words[0] for line in listed.splitlines() if (words := line.split()) and pattern.fullmatch(words[0])]


async def _named(uri: str, pattern: re.Pattern[str], *words: str) -> list[str]:
    names = (line.strip() for line in (await _virsh(uri, *words)).splitlines())
    return [name for name in names if pattern.fullmatch(name)]


async def _virsh(uri: str, *words: str, check: bool = True) -> str:
    return await _said(["virsh", "--quiet", "--connect", uri, *words], check=check)


async def _sweep_virtualbox(pattern: re.Pattern[str]) -> None:
    for name in await _virtualbox_machines(pattern):
        await _said(["VBoxManage", "controlvm", name, "poweroff"], check=False)  # fails if it does not run
        await _unregister(name)


async def _unregister(name: str) -> None:
    for left in reversed(range(_UNLOCK_TRIES)):
        try:
            await _said(["VBoxManage", "unregistervm", name, "--delete"])
        except CommandError as error:
            if _UNKNOWN.search(error.output):
                return  # an earlier attempt only failed to delete its disks
            if not left or not _LOCKED.search(error.output):
                raise
            await asyncio.sleep(_UNLOCK_PAUSE)
        else:
            return


async def _virtualbox_machines(pattern: re.Pattern[str]) -> list[str]:
    if not shutil.which("VBoxManage"):
        return []
    listed = await _said(["VBoxManage", "list", "vms"])
    names = re.findall(r'^"(.+)" \{[0-9a-f-]+\}$', listed, re.MULTILINE)
    return [name for name in names if pattern.fullmatch(name)]


async def _said(argv: list[str], *, check: bool = True) -> str:
    done = await run(argv, env=_ENGLISH, timeout=_TIMEOUT, check=False)
    if check and done.returncode != 0:
        raise CommandError(
            f"{argv[0]} failed", argv=done.argv, returncode=done.returncode, output=done.stderr or done.stdout
        )
    return done.stdout


def is_elsewhere(uri: str) -> bool:
    """Whether a hypervisor is on another machine."""
    return urlsplit(uri).hostname not in _LOCAL


def jump_to(uri: str) -> tuple[str, ...]:
    """The ssh command that logs in to a hypervisor's machine, through which its guests are reached; () for this
    machine.

    As in libvirt, the user's configuration applies, and `?keyfile=` of the URI.
    """
    parts = urlsplit(uri)
    if not parts.scheme.endswith("+ssh") or not parts.hostname:
        return ()
    options = [("-p", str(parts.port or "")), ("-l", parts.username or ""), ("-i", _keyfile(parts.query))]
    words = [word for option, value in options if value for word in (option, value)]
    return ("ssh", "-o", "BatchMode=yes", *words, parts.hostname)


def console_of(uri: str, domain: str) -> tuple[str, ...]:
    """The command that streams the console of a remote domain; () for this machine, where there is a file.

    virsh shows consoles only on a terminal, so it gets one.
    """
    if not is_elsewhere(uri):
        return ()
    virsh = ("virsh", "--quiet", "--connect", uri, "console", "--force", domain)
    return (sys.executable, "-I", "-c", _ON_A_TERMINAL, *virsh)


def _keyfile(query: str) -> str:
    found = parse_qs(query).get("keyfile", [""])[0]
    return found if not found or found.startswith("/") else str(Path.home() / ".ssh" / found)


def pidfile(uri: str, domain: str) -> Path | None:
    """libvirt's pid file of a running domain on this machine; None if it is not visible."""
    path = Path("/run/libvirt/qemu") / f"{domain}.pid"
    try:
        return path if uri == "qemu:///system" and path.exists() else None
    except OSError:
        return None  # this user may not enter the directory
