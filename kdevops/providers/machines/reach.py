"""Contact with an existing machine: its identity, whether it answers, and its current boot."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, LostGuestError
from kdevops.guest import hostkeys
from kdevops.guest.ssh import SshTarget, wait_for_banner
from kdevops.progress import Progress, Report
from kdevops.providers.address import Address

_ANSWER = 10.0
"""Seconds for a short command in a healthy machine."""
_PAUSE = 1.0
_LAST_LOOK = 2.0
_CONSOLE = 240.0
"""Seconds for a cloud to show the console output of a machine's first boot."""
_LOOK = 10.0
_BOOT_ID = ("cat", "/proc/sys/kernel/random/boot_id")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Console = Callable[[], Awaitable[bytes]]
"""Fetches a machine's whole console output. Raises InfrastructureError."""


@dataclass
class Reach:
    """Reaches the machines of one lab. `slowdown` stretches deadlines; `strict`: a refused login is final (the keys are
    already set up, so waiting cannot help).

    `troubles` is why a machine did not answer the last time, by name.
    """

    known_hosts: Path
    slowdown: float
    strict: bool
    report: Report
    troubles: dict[str, str] = field(default_factory=dict)

    async def boot(
        self, target: SshTarget, address: Address, console: Console | None, *, seconds: float, old: str = ""
    ) -> str:
        """Wait for a boot other than `old` to answer; returns its id, "" on timeout.

        Raises InfrastructureError for what waiting cannot fix: another host key, a sudo that asks for a password.
        """
        end = time.monotonic() + seconds
        self.troubles[target.name] = f"nobody answers at {address.host} port {address.port}"
        left = seconds
        while left > 0:
            left = end - time.monotonic()  # one more attempt after the deadline: this process may have been stopped
            if not await wait_for_banner(address.host, address.port, timeout=max(left, _LAST_LOOK), gone=lambda: False):
                break
            if boot_id := await self._ask(target, address, console):
                if boot_id != old:
                    return boot_id
                self.troubles[target.name] = "it is still in the boot that was to end"
            await asyncio.sleep(_PAUSE)
        return ""

    async def _ask(self, target: SshTarget, address: Address, console: Console | None) -> str:
        try:
            await self._pin(target.name, address, console)
            said = (await target.run(_BOOT_ID, timeout=_ANSWER * self.slowdown)).stdout.strip()
        except (LostGuestError, CommandError) as error:
            self._check_hopeless(target, error)
            self.troubles[target.name] = error.message
            return ""
        return said if _UUID.fullmatch(said) else ""

    async def _pin(self, name: str, address: Address, console: Console | None) -> None:
        """Determine the machine's host key at the first contact."""
        if address.host_key:
            hostkeys.pin(self.known_hosts, name, address.host_key)
        if hostkeys.pinned(self.known_hosts, name):
            return
        if console and (key := await self._from_console(name, console)):
            how = f"taken from its console: {hostkeys.fingerprint(key)}"
        else:
            key = await hostkeys.shown_by(address.host, address.port, timeout=_ANSWER * self.slowdown)
            how = (
                f"taken at first contact: {hostkeys.fingerprint(key)}, compare it with what the machine says: "
                "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            )
        self.report(Progress(f"host key of {name}", how, done=True))
        hostkeys.pin(self.known_hosts, name, key)

    async def _from_console(self, name: str, console: Console) -> str:
        """The key printed by cloud-init; waits, because a cloud shows a console with some delay. "" without one."""
        end = time.monotonic() + _CONSOLE
        while True:
            trouble, hopeless = "", False
            try:
                if key := hostkeys.told_by((await console()).decode(errors="replace")):
                    return key
            except InfrastructureError as error:  # there may be no console yet, or too many requests
                trouble, hopeless = error.message, isinstance(error, CommandError) and error.returncode is None
            if hopeless or time.monotonic() > end:
                if trouble:
                    self.report(Progress(f"console of {name}", f"cannot be read: {trouble}", done=True))
                return ""
            await asyncio.sleep(_LOOK)

    def _check_hopeless(self, target: SshTarget, error: InfrastructureError) -> None:
        """Raise for errors that waiting cannot fix."""
        who = f"{target.user}@{target.host} port {target.port}"
        if "Host key verification failed" in error.message or "IDENTIFICATION HAS CHANGED" in error.message:
            raise InfrastructureError(
                f"the host key of {target.name} ({who}) is not the one that was pinned: it was reinstalled, "
                "another machine has its address, or the connection is intercepted",
                hint=f"if you know why it changed, delete the line of {target.name} in {target.known_hosts}",
            ) from None
        if "sudo:" in error.message:
            raise InfrastructureError(
                f"{target.name}: {target.user} may not become root: {error.message}",
                hint=f"as root there: echo '{target.user} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/kdevops",
            ) from None
        if self.strict and "Permission denied" in error.message:
            raise InfrastructureError(
                f"{target.name} does not let us in as {who}: {error.message}",
                hint="name the private key in provider.hosts, or add it to your agent with ssh-add",
            ) from None


def what_to_do(name: str, address: Address | None, *, preexisting: bool) -> str | None:
    """Advice for a machine that does not answer; `preexisting`: an existing host, not a machine in a cloud."""
    resets = bool(address and address.reset)
    if preexisting:
        named = "reset it manually; or name a command that does so, as `reset` of the machine in provider.hosts"
        return None if resets else named
    return (
        f"{'' if resets else 'reset it manually; '}{name} is there still and costs money: kdevops up waits for it "
        "again, kdevops down destroys it; provider.boot_timeout sets how long to wait, provider.allow who may reach it"
    )
