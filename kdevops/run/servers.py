"""The guests that serve the others during a run: up before the first test, watched, brought up again when they are lost.

Whatever befalls a server is trouble of the infrastructure. Which tests it spoils is decided by generations: each time
a server begins to serve, a new one begins, and what was booted in an earlier one is connected to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from kdevops.errors import InfrastructureError
from kdevops.guest import console
from kdevops.lab.servers import Role, Server
from kdevops.providers.base import Guest, Provider
from kdevops.results.events import GuestChanged
from kdevops.run.furnish import Furniture
from kdevops.triage.oops import find_oops

_COMMAND = 30.0
_SERVES: dict[Role, tuple[str, ...]] = {
    "nfsd": ("sh", "-c", 'read -r threads </proc/fs/nfsd/threads && [ "$threads" != 0 ] && pgrep -x rpc.mountd'),
    "smbd": ("pgrep", "-x", "smbd"),
}
"""Commands that succeed in a guest which serves."""


@dataclass
class Servers:
    """The servers of a lab; none by default. `play` has Ansible make a guest that has booted a server."""

    wanted: tuple[Server, ...] = ()
    provider: Provider | None = None
    furniture: Furniture | None = None
    play: Callable[[Server], Awaitable[None]] | None = None
    tell: Callable[[GuestChanged], None] | None = None
    cmdline: Sequence[str] = ()
    stay: bool = False
    generation: int = 0
    _guests: dict[str, Guest] = field(default_factory=dict)
    _consoles: dict[str, int] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def up(self) -> int:
        """Have all of them serve, and give the generation in which they do. Raises InfrastructureError."""
        async with self._lock:
            for server in self.wanted:
                await self._ensure(server)
            return self.generation

    def lost(self, generation: int) -> str:
        """Why nobody is served any more who was in `generation`, in a line; empty while they are."""
        if generation != self.generation:
            return "the server was brought up again"
        return next((self._obituary(guest) for guest in self._guests.values() if not guest.alive()), "")

    async def ill(self) -> str:
        """Ask each server whether it serves: why not, in a line; empty when all do."""
        for server in self.wanted:
            guest = self._guests.get(server.name)
            if guest and not await self._serves(server, guest):
                return f"{server.name} serves no more" if guest.alive() else self._obituary(guest)
        return ""

    async def give_back(self, *, keep: bool) -> None:
        """End them unless they are to be kept, or were up to stay. Raises InfrastructureError."""
        for name, guest in self._guests.items():
            if not keep and not guest.stay:
                await guest.down()
                self._tell(GuestChanged(name, "down"))

    async def _ensure(self, server: Server) -> None:
        assert self.provider
        assert self.furniture
        assert self.play
        known = self._guests.get(server.name)
        if known and known.alive() and await self._serves(server, known):
            return
        self._tell(GuestChanged(server.name, "booting"))
        guest = await self.provider.up(server.name, extra_cmdline=self.cmdline, stay=self.stay)
        self._guests[server.name] = guest
        self._consoles[server.name] = console.end_of(guest.console)
        self.generation += 1
        if not await self._serves(server, guest):
            await replace(self.furniture, suites=(), secrets={}).bring(guest.ssh, self.provider.factor)
            await self.play(server)
            if not await self._serves(server, guest):
                raise InfrastructureError(
                    f"guest {server.name} does not serve, though the playbook {server.role}.yml succeeded",
                    log=guest.console,
                )
        self._tell(GuestChanged(server.name, "ready"))

    async def _serves(self, server: Server, guest: Guest) -> bool:
        assert self.provider
        with contextlib.suppress(InfrastructureError):
            done = await guest.ssh.run(_SERVES[server.role], timeout=_COMMAND * self.provider.factor, check=False)
            return done.returncode == 0
        return False

    def _tell(self, event: GuestChanged) -> None:
        if self.tell:
            self.tell(event)

    def _obituary(self, guest: Guest) -> str:
        oops = find_oops(console.read_since(guest.console, self._consoles[guest.name]))
        return f"the server {guest.name} died: {oops.title if oops else 'it said nothing'}"
