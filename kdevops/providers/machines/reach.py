"""The way to a machine that we did not make: who it is, whether it answers, and which boot of it this is."""

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
"""Seconds for a short command in a machine that is well."""
_PAUSE = 1.0
_LAST_LOOK = 2.0
_CONSOLE = 240.0
"""Seconds in which a cloud shows what a machine printed on its console at its first boot."""
_LOOK = 10.0
_BOOT_ID = ("cat", "/proc/sys/kernel/random/boot_id")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Console = Callable[[], Awaitable[bytes]]
"""Asks for all that a machine's console has said so far. Raises InfrastructureError."""


@dataclass
class Reach:
    """Reaches the machines of one lab. `factor` stretches deadlines; `strict`: who may log in was settled before we came.

    `troubles` is why a machine did not answer the last time, by its name.
    """

    known_hosts: Path
    factor: float
    strict: bool
    report: Report
    troubles: dict[str, str] = field(default_factory=dict)

    async def boot(
        self, target: SshTarget, address: Address, console: Console | None, *, seconds: float, old: str = ""
    ) -> str:
        """Wait for a boot other than `old` to answer: its id; "" when there is none in time.

        Raises InfrastructureError for what waiting does not mend: another host key, a sudo that asks for a password.
        """
        end = time.monotonic() + seconds
        self.troubles[target.name] = f"nobody answers at {address.host} port {address.port}"
        left = seconds
        while left > 0:
            left = end - time.monotonic()  # once more when it is over: this process may have been stopped
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
            said = (await target.run(_BOOT_ID, timeout=_ANSWER * self.factor)).stdout.strip()
        except (LostGuestError, CommandError) as error:
            self._refuse(target, error)
            self.troubles[target.name] = error.message
            return ""
        return said if _UUID.fullmatch(said) else ""

    async def _pin(self, name: str, address: Address, console: Console | None) -> None:
        """Settle which key the machine has, at the first contact."""
        if address.host_key:
            hostkeys.pin(self.known_hosts, name, address.host_key)
        if hostkeys.pinned(self.known_hosts, name):
            return
        if console and (key := await self._from_console(name, console)):
            how = f"taken from its console: {hostkeys.fingerprint(key)}"
        else:
            key = await hostkeys.shown_by(address.host, address.port, timeout=_ANSWER * self.factor)
            how = (
                f"taken at first contact: {hostkeys.fingerprint(key)}, compare it with what the machine says: "
                "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            )
        self.report(Progress(f"host key of {name}", how, done=True))
        hostkeys.pin(self.known_hosts, name, key)

    async def _from_console(self, name: str, console: Console) -> str:
        """The key that cloud-init printed, waited for: a cloud shows a console with some delay. "" where it has none."""
        end = time.monotonic() + _CONSOLE
        while True:
            trouble, hopeless = "", False
            try:
                if key := hostkeys.told_by((await console()).decode(errors="replace")):
                    return key
            except InfrastructureError as error:  # there may be none yet, or too many questions were asked
                trouble, hopeless = error.message, isinstance(error, CommandError) and error.returncode is None
            if hopeless or time.monotonic() > end:
                if trouble:
                    self.report(Progress(f"console of {name}", f"cannot be read: {trouble}", done=True))
                return ""
            await asyncio.sleep(_LOOK)

    def _refuse(self, target: SshTarget, error: InfrastructureError) -> None:
        """Raise for what no waiting mends."""
        who = f"{target.user}@{target.host} port {target.port}"
        if "Host key verification failed" in error.message or "IDENTIFICATION HAS CHANGED" in error.message:
            raise InfrastructureError(
                f"the host key of {target.name} ({who}) is not the one that was pinned: it was installed anew, another machine "
                "has its address, or somebody is in between",
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
                hint="name the private key at provider.hosts, or hand it to your agent with ssh-add",
            ) from None


def what_to_do(name: str, address: Address | None, *, lasting: bool) -> str | None:
    """What a person can do about a machine that does not answer; a `lasting` one is somebody's, others are a cloud's."""
    resets = bool(address and address.reset)
    if lasting:
        named = "reset it by hand; or name a command that does so, at `reset` of the machine in provider.hosts"
        return None if resets else named
    return (
        f"{'' if resets else 'reset it by hand; '}{name} is there still and costs money: kdevops up waits for it again, "
        "kdevops down destroys it; how long it is waited for says provider.boot_timeout, who may reach it provider.allow"
    )
