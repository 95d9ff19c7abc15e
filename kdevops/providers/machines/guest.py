"""One running remote machine, as tests see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kdevops.guest.ssh import SshTarget
from kdevops.guest.sysrq import press
from kdevops.providers.address import Address
from kdevops.providers.shared.machine_state import DeathWatch

ANSWER = 10.0
"""Seconds for a short command in a healthy machine."""


class Owner(Protocol):
    """The functions of the provider that a guest uses."""

    @property
    def slowdown(self) -> float:
        """How much slower than real hardware guests are."""

    def console(self, name: str) -> Path:
        """The recorded console."""

    def saw_end(self, name: str) -> bool:
        """Whether the console showed the kernel's end."""

    async def gone(self, name: str, address: Address) -> str:
        """Why the machine was taken away; "" if it was not."""

    async def restarted(self, name: str, address: Address, boot_id: str) -> bool:
        """Whether it answers in another boot than this one."""

    def remember(self, name: str, **facts: Any) -> object:
        """Record these facts about the machine."""

    async def remove(self, name: str) -> None:
        """Give the machine back."""


@dataclass(frozen=True, slots=True)
class RemoteGuest:
    """One running machine. `boot_id` is its kernel's id of the boot in which it was handed out."""

    provider: Owner
    name: str
    ssh: SshTarget
    persist: bool
    address: Address
    boot_id: str
    watch: DeathWatch | None = None

    @property
    def console(self) -> Path:
        """The recorded console; without one, the last messages of the machine's kernels."""
        return self.provider.console(self.name)

    def alive(self) -> bool:
        """Whether nothing shows that its kernel ended."""
        return not self.provider.saw_end(self.name) and (self.watch is None or self.watch.alive())

    async def gone(self) -> str:
        """Why the machine was taken away, according to its cloud."""
        return await self.provider.gone(self.name, self.address)

    async def held(self) -> str:
        """Unknown."""
        return ""

    async def restarted(self) -> bool:
        """Whether it answers in another boot; without a console this waits as long as a boot takes."""
        return await self.provider.restarted(self.name, self.address, self.boot_id)

    async def discard(self) -> None:
        """Make the next `up` reset it."""
        await self.ssh.disconnect()
        self.provider.remember(self.name, spoilt=True)

    async def down(self) -> None:
        """Give it back."""
        await self.provider.remove(self.name)

    async def sysrq(self, keys: str) -> None:
        """Through the guest's own /proc/sysrq-trigger: a recorded console accepts no keys."""
        await press(self.ssh, keys, timeout=ANSWER * self.provider.slowdown)
