"""Vagrant for the program: python-vagrant's commands and parsers, with subprocesses run by our own code."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kdevops.distribution import install_hint
from kdevops.errors import CommandError, CommandTimeout, InfrastructureError
from kdevops.process import Completed, run
from kdevops.providers.shared.run_in_thread import RunCommand, run_in_thread
from kdevops.providers.vagrant.errors import translate
from kdevops.providers.vagrant.render import VagrantBox

if TYPE_CHECKING:
    from vagrant import Vagrant

T = TypeVar("T")
_SNAPSHOT = "kdevops"
_SHORT = 180.0
"""Seconds for a command that starts no guest; Vagrant itself needs one to start."""
_DOWNLOAD = 3600.0
"""Seconds for the download of a box: some have gigabytes."""
_PERCENT = re.compile(rb"Progress: (\d{1,2})%")
_GRACE = 30.0
"""Seconds for an interrupted `vagrant up` or `box add`: on SIGINT they stop soon and clean up."""
_TOLD = re.compile(r" {4}([A-Za-z0-9-]+): SSH address: (\S+):(\d{1,5})$")
"""Output of `vagrant up` for a machine that is up (plugins/communicators/ssh/communicator.rb of its sources)."""
_FOREIGN = ("VAGRANT_CWD", "VAGRANT_DOTFILE_PATH", "VAGRANT_VAGRANTFILE", "VAGRANT_DEFAULT_PROVIDER")
"""Variables in a user's environment that would make Vagrant work on something else."""


@dataclass(frozen=True, slots=True)
class Address:
    """The ssh address of a machine."""

    host: str
    port: int


@dataclass(frozen=True)
class VagrantTool:
    """The machines of the Vagrantfile in `root`. All of Vagrant's output is appended to `log`.

    `backend` is Vagrant's name of the provider. `on_line` receives its output line by line. Every method raises
    UserError or InfrastructureError, in our words, if Vagrant fails.
    """

    root: Path
    log: Path
    backend: str
    on_line: Callable[[str], None] | None = None
    _told: dict[str, Address] = field(default_factory=dict, repr=False, compare=False)
    _starting: dict[str, asyncio.Event] = field(default_factory=dict, repr=False, compare=False)

    async def add_box(self, box: VagrantBox, on_fraction: Callable[[float], None]) -> None:
        """Download a box with its own deadline, because `up` has that of a boot. `on_fraction` gets the progress."""
        words = ["box", "add", "--provider", self.backend]
        words += ["--box-version", box.version] if box.version else []
        words += ["--checksum", box.sha256, "--checksum-type", "sha256"] if box.sha256 else []
        words += ["--name", box.name, box.url or box.name]

        def listen(chunk: bytes) -> None:
            if found := _PERCENT.findall(chunk):
                on_fraction(int(found[-1]) / 100)

        await self._call(
            "box add", lambda it: it._call_vagrant_command(words), _DOWNLOAD, grace=_GRACE, on_bytes=listen
        )

    async def up(self, names: Sequence[str], *, timeout: float, provision: bool | None = None) -> None:
        """Create and start machines; running ones are left alone."""
        chosen = _chosen(names)
        for name in names or tuple(self._told):
            self._told.pop(name, None)

        def work(vagrant: Vagrant) -> None:
            vagrant.up(vm_name=chosen, provider=self.backend, provision=provision)

        ended = asyncio.Event()
        self._starting.update(dict.fromkeys(names, ended))
        try:
            await self._call("up", work, timeout, self._hear, _GRACE)
        finally:
            ended.set()

    async def destroy(self, names: Sequence[str] = ()) -> None:
        """Remove machines and their disks, by default all of the Vagrantfile.

        Waits for an `up` of ours that is still working on one of them: Vagrant locks it.
        """
        for name in names or tuple(self._starting):
            if starting := self._starting.get(name):
                await starting.wait()
        await self._call("destroy", lambda it: it.destroy(vm_name=_chosen(names)), _SHORT + 10 * len(names))

    async def states(self) -> dict[str, str]:
        """The state of every machine, by name: running, poweroff, not_created, …"""
        found = await self._call("status", lambda it: it.status(), _SHORT)
        return {str(each.name): str(each.state) for each in found}

    async def addresses(self, names: Sequence[str]) -> dict[str, Address]:
        """The ssh addresses of running machines; queried only if `up` did not print them."""
        told = {name: self._told[name] for name in names if name in self._told}
        if unknown := [name for name in names if name not in told]:
            told |= await self._ask_addresses(unknown)
        return told

    async def _ask_addresses(self, names: Sequence[str]) -> dict[str, Address]:
        def ask(vagrant: Vagrant) -> dict[str, Address]:
            found = {}
            for block in re.split(r"^(?=Host )", vagrant.ssh_config(vm_name=_chosen(names)), flags=re.MULTILINE):
                config = vagrant._parse_config(block)  # its own parser handles one host only
                if config:
                    found[config["Host"]] = Address(config["HostName"], int(config["Port"]))
            return found

        return await self._call("ssh-config", ask, _SHORT)

    async def save(self, name: str) -> None:
        """Take a snapshot of a running machine, replacing an earlier one."""
        words = ["snapshot", "save", "--force", name, _SNAPSHOT]
        await self._call("snapshot save", lambda it: it._call_vagrant_command(words), _SHORT)

    async def restore(self, name: str, *, timeout: float) -> None:
        """Go back to the snapshot."""
        words = ["snapshot", "restore", "--no-provision", name, _SNAPSHOT]
        await self._call("snapshot restore", lambda it: it._call_vagrant_command(words), timeout)

    def _hear(self, line: str) -> None:
        """Record the address of a machine, only the first: later lines may come from the guest."""
        if (found := _TOLD.fullmatch(line)) and found[1] not in self._told:
            with contextlib.suppress(ValueError):  # perhaps a host name; ssh-config resolves it
                self._told[found[1]] = Address(str(ipaddress.ip_address(found[2].strip("[]"))), int(found[3]))

    async def _call(
        self,
        command: str,
        work: Callable[[Vagrant], T],
        timeout: float,
        hear: Callable[[str], None] | None = None,
        grace: float = 0.0,
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> T:
        """Let python-vagrant do `work` in a thread, with its subprocesses run by this event loop."""
        try:
            return await run_in_thread(
                lambda run_command: work(_vagrant(self.root, run_command)),
                lambda argv: self._run(argv, timeout, hear, grace, on_bytes),
            )
        except CommandTimeout:
            raise InfrastructureError(
                f"vagrant {command} did not finish within {timeout:.0f} s", hint=f"see {self.log}", log=self.log
            ) from None
        except CommandError as error:
            raise translate(error.output or error.message, command=f"vagrant {command}", log=self.log) from None

    async def _run(
        self,
        argv: Sequence[str],
        timeout: float,
        hear: Callable[[str], None] | None,
        grace: float,
        on_bytes: Callable[[bytes], None] | None,
    ) -> Completed:
        said: list[str] = []

        def listen(line: str) -> None:
            said.append(line)
            if hear:
                hear(line)
            if self.on_line:
                self.on_line(line)

        env = {
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "VAGRANT_DEFAULT_PROVIDER": self.backend,
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "",  # otherwise libvirt's messages to Vagrant are translated
        }
        unset = [word for name in _FOREIGN if name in os.environ for word in ("-u", name)]
        words = ["env", *unset, *argv] if unset else argv
        done = await run(
            words,
            cwd=self.root,
            env=env,
            timeout=timeout,
            check=False,
            on_line=listen,
            on_bytes=on_bytes,
            log_to=self.log,
            interrupt_grace=grace,
        )
        if done.returncode != 0:
            # The error may be in either stream.
            output = "\n".join(said[-500:])
            raise CommandError("vagrant failed", argv=tuple(argv), returncode=done.returncode, output=output)
        return done


def _chosen(names: Sequence[str]) -> str | None:
    """Several names as one argument for Vagrant: a regular expression. Names have letters, digits and dashes only."""
    if len(names) < 2:
        return names[0] if names else None
    return f"/^({'|'.join(names)})$/"


def _vagrant(root: Path, run_command: RunCommand) -> Vagrant:
    if not shutil.which("vagrant"):
        raise InfrastructureError("vagrant is not installed", hint=install_hint("vagrant"))
    import vagrant

    class Through(vagrant.Vagrant):
        """Replaces python-vagrant's own subprocesses, which have no deadline and lose error output."""

        def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
            run_command(self._make_vagrant_command(args))

        def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
            return run_command(self._make_vagrant_command(args)).stdout

    return Through(root=str(root), quiet_stdout=True, quiet_stderr=True)
