"""What the hypervisors themselves are asked for, because Vagrant cannot do it.

Vagrant forgets a machine whose making was interrupted, or that vanished under it, and then leaves its domain and its disks;
they are found by the prefix that only this lab's names have. And `vagrant halt --force` asks a libvirt guest to shut down and
waits for a minute, which one that panicked does not do.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kdevops.errors import CommandError
from kdevops.lab.vagrant import Vagrant
from kdevops.process import run

_TIMEOUT = 60.0
_ENGLISH = {"LC_ALL": "C", "LANGUAGE": ""}
"""What they complain of is recognised in English only."""
_NOT_THERE = re.compile(r"no storage (?:vol|pool) with matching")
_LOCAL = {None, "localhost", "127.0.0.1", "::1"}
_ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
_DISKS = r"(?:\..*|-[a-z]+\..*)?"
"""What follows a machine's name in those of its disks: `.img` for the first, `-vdb.qcow2` for others."""


@dataclass(frozen=True, slots=True)
class Hypervisors:
    """Those that have the machines, disks and networks which bear the lab's prefix."""

    vagrant: Vagrant
    prefix: str

    @property
    def silent(self) -> bool:
        """Whether nothing can be asked of them here, for want of virsh or VBoxManage: then nothing is found, nor removed."""
        return not shutil.which("virsh" if self.vagrant.backend == "libvirt" else "VBoxManage")

    async def found(self) -> list[str]:
        """The names of the machines that are there. Raises CommandError when the hypervisor does not answer."""
        pattern = self._pattern("")
        if self.vagrant.backend == "virtualbox":
            return await _virtualbox_machines(pattern)
        return [name for uri in self._uris() for name in await _named(uri, pattern, "list", "--all", "--name")]

    async def remove(self, name: str = "") -> None:
        """Remove all of them, or those of one guest. Raises CommandError when the hypervisor refuses."""
        pattern = self._pattern(name)
        if self.vagrant.backend == "virtualbox":
            await _sweep_virtualbox(pattern)
        for uri in self._uris():
            await _sweep_libvirt(uri, self.vagrant.pool, pattern)

    async def power_off(self, name: str) -> None:
        """Switch a machine off, as pulling its plug would; nothing happens to one that is off or not there."""
        if self.vagrant.backend == "virtualbox":
            await _said(["VBoxManage", "controlvm", self.prefix + name, "poweroff"], check=False)
        for uri in self._uris():
            await _virsh(uri, "destroy", self.prefix + name, check=False)

    async def remove_partial(self, uri: str, pool: str, volume: str, size: int) -> bool:
        """Remove a volume that has less than `size` bytes; whether there was one. Raises CommandError."""
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

    def _uris(self) -> tuple[str, ...]:
        return self.vagrant.hypervisors if self.vagrant.backend == "libvirt" and not self.silent else ()

    def _pattern(self, name: str) -> re.Pattern[str]:
        return re.compile(re.escape(self.prefix + name) + (_DISKS if name else ".*"))


async def _sweep_libvirt(uri: str, pool: str, pattern: re.Pattern[str]) -> None:
    for name in await _named(uri, pattern, "list", "--all", "--name"):
        await _virsh(uri, "destroy", name, check=False)  # one that does not run cannot be stopped
        # Of what a machine does not have, nothing is said.
        await _virsh(uri, "undefine", name, "--managed-save", "--snapshots-metadata", "--nvram")
    for name in await _named(uri, pattern, "net-list", "--all", "--name"):
        await _virsh(uri, "net-destroy", name, check=False)  # one that is not active cannot be stopped
        await _virsh(uri, "net-undefine", name)
    listed = await _virsh(uri, "vol-list", "--pool", pool, check=False)  # a pool that is not there holds nothing
    for line in listed.splitlines():
        if (words := line.split()) and pattern.fullmatch(words[0]):
            await _virsh(uri, "vol-delete", "--pool", pool, words[0])


async def _named(uri: str, pattern: re.Pattern[str], *words: str) -> list[str]:
    names = (line.strip() for line in (await _virsh(uri, *words)).splitlines())
    return [name for name in names if pattern.fullmatch(name)]


async def _virsh(uri: str, *words: str, check: bool = True) -> str:
    return await _said(["virsh", "--quiet", "--connect", uri, *words], check=check)


async def _sweep_virtualbox(pattern: re.Pattern[str]) -> None:
    for name in await _virtualbox_machines(pattern):
        await _said(["VBoxManage", "controlvm", name, "poweroff"], check=False)  # unless it does not run
        await _said(["VBoxManage", "unregistervm", name, "--delete"])


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
    """Whether a hypervisor is on another machine than this one."""
    return urlsplit(uri).hostname not in _LOCAL


def jump_to(uri: str) -> tuple[str, ...]:
    """The ssh command that logs in where a hypervisor is, by way of which its guests are reached; () for one of this machine.

    It is libvirt's own: the user's configuration counts, and `?keyfile=` of the URI.
    """
    parts = urlsplit(uri)
    if not parts.scheme.endswith("+ssh") or not parts.hostname:
        return ()
    options = [("-p", str(parts.port or "")), ("-l", parts.username or ""), ("-i", _keyfile(parts.query))]
    words = [word for option, value in options if value for word in (option, value)]
    return ("ssh", "-o", "BatchMode=yes", *words, parts.hostname)


def console_of(uri: str, domain: str) -> tuple[str, ...]:
    """The command that prints the console of a domain elsewhere from now on; () for one of this machine, which has a file.

    virsh shows consoles to terminals only, so it is given one.
    """
    if not is_elsewhere(uri):
        return ()
    virsh = ("virsh", "--quiet", "--connect", uri, "console", "--force", domain)
    return (sys.executable, "-I", "-c", _ON_A_TERMINAL, *virsh)


def _keyfile(query: str) -> str:
    found = parse_qs(query).get("keyfile", [""])[0]
    return found if not found or found.startswith("/") else str(Path.home() / ".ssh" / found)


def pidfile(uri: str, domain: str) -> Path | None:
    """Where libvirt on this machine keeps the process id of a running domain; None where that cannot be seen."""
    path = Path("/run/libvirt/qemu") / f"{domain}.pid"
    try:
        return path if uri == "qemu:///system" and path.exists() else None
    except OSError:
        return None  # a directory that this user may not look into
