"""Server guests of a run: started before the first test, watched, and restarted when they are lost.

A server's failure is infrastructure trouble and invalidates tests by generation: each start of a server opens a
generation, and guests booted in an older one have lost their server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kdevops.errors import InfrastructureError
from kdevops.guest import console
from kdevops.lab.servers import Role, Server
from kdevops.providers.base import Guest, Provider
from kdevops.results.events import GuestChanged
from kdevops.run.guests.prepare import GuestSetup
from kdevops.triage.oops import find_oops

_COMMAND = 30.0
# Each asks the service itself, as clients do: a kernel thread must answer a null call (program 100003 is NFS), or a
# daemon must accept a connection.
_SERVES: dict[Role, tuple[str, ...]] = {
    "nfsd": ("sh", "-c", "pgrep -x rpc.mountd && exec rpcinfo -n 2049 -t 127.0.0.1 100003 4"),
    "smbd": ("bash", "-c", ": </dev/tcp/127.0.0.1/445"),
}
"""Commands that succeed in a guest that serves."""


@dataclass
class Servers:
    """The servers of a lab; none by default. `play` runs the playbook that turns a booted guest into a server."""

    wanted: tuple[Server, ...] = ()
    provider: Provider | None = None
    guest_setup: GuestSetup | None = None
    play: Callable[[Server], Awaitable[None]] | None = None
    tell: Callable[[GuestChanged], None] | None = None
    cmdline: Sequence[str] = ()
    persist: bool = False
    generation: int = 0
    _guests: dict[str, Guest] = field(default_factory=dict)
    _consoles: dict[str, int] = field(default_factory=dict)
    _heard: dict[str, int] = field(default_factory=dict)
    _serving: set[str] = field(default_factory=set)
    """Servers that were set up since they booted."""
    _spoilt: set[str] = field(default_factory=set)
    """Guests that could not be set up as servers."""
    _booting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def boot(self) -> int:
        """Start all server guests, which need not serve yet, and return the new generation.

        Their clients may boot from now on. Raises InfrastructureError.
        """
        async with self._booting:
            await _all(self._boot(server) for server in self.wanted)
            return self.generation

    async def up(self) -> int:
        """Make all servers serve and return their generation. Raises InfrastructureError."""
        async with self._making:
            generation = await self.boot()
            await _all(self._make(server) for server in self.wanted if server.name not in self._serving)
            return generation

    def lost(self, generation: int) -> str:
        """Why clients booted in `generation` have lost their server, in one line; empty if they have not."""
        if generation != self.generation:
            return "the server was brought up again"
        return next((self._obituary(guest) for guest in self._guests.values() if not guest.alive()), "")

    async def ill(self) -> str:
        """Check each server; returns why one does not serve, in one line, or an empty string."""
        return next(filter(None, await asyncio.gather(*map(self._complaint, self.wanted))), "")

    def said(self) -> Iterator[tuple[str, list[str]]]:
        """New console lines of each server, by name, since the last call: its kernel is under test like any other."""
        for name, guest in self._guests.items():
            begin, end = self._heard.get(name, self._consoles[name]), console.end_of(guest.console)
            if begin != end:
                yield name, console.read_since(guest.console, begin, end=end)
            self._heard[name] = end

    async def give_back(self, *, persist: bool) -> None:
        """Stop the servers unless `persist`, or unless they are to keep running. Raises InfrastructureError."""
        await _all(self._end(guest) for guest in self._guests.values() if not persist and not guest.persist)

    async def _boot(self, server: Server) -> None:
        assert self.provider
        name = server.name
        known = self._guests.get(name)
        if known and known.alive() and (name not in self._serving or await self._serves(server, known)):
            return
        self._serving.discard(name)
        self._tell(GuestChanged(name, "booting"))
        guest = await self.provider.up(
            name, extra_cmdline=self.cmdline, persist=self.persist, fresh=name in self._spoilt
        )
        self._guests[name] = guest
        self._consoles[name] = console.end_of(guest.console)
        self.generation += 1

    async def _make(self, server: Server) -> None:
        """Set up a running guest as a server. If that fails, the guest is booted afresh next time."""
        self._spoilt.add(server.name)
        try:
            await self._serve(server, self._guests[server.name])
        except InfrastructureError:
            del self._guests[server.name]
            raise
        self._spoilt.discard(server.name)
        self._serving.add(server.name)
        self._tell(GuestChanged(server.name, "ready"))

    async def _serve(self, server: Server, guest: Guest) -> None:
        assert self.provider
        assert self.guest_setup
        assert self.play
        if await self._serves(server, guest):
            return
        await replace(self.guest_setup, suites=(), secrets={}).apply(guest.ssh, self.provider.slowdown)
        await self.play(server)
        if not await self._serves(server, guest):
            raise InfrastructureError(
                f"guest {server.name} does not serve, though the playbook {server.role}.yml succeeded",
                log=guest.console,
            )

    async def _end(self, guest: Guest) -> None:
        await guest.down()
        self._tell(GuestChanged(guest.name, "down"))

    async def _complaint(self, server: Server) -> str:
        guest = self._guests.get(server.name)
        if not guest or await self._serves(server, guest):
            return ""
        return f"{server.name} serves no more" if guest.alive() else self._obituary(guest)

    async def _serves(self, server: Server, guest: Guest) -> bool:
        assert self.provider
        with contextlib.suppress(InfrastructureError):
            done = await guest.ssh.run(_SERVES[server.role], timeout=_COMMAND * self.provider.slowdown, check=False)
            return done.returncode == 0
        return False

    def _tell(self, event: GuestChanged) -> None:
        if self.tell:
            self.tell(event)

    def _obituary(self, guest: Guest) -> str:
        oops = find_oops(console.read_since(guest.console, self._consoles[guest.name]))
        return f"the server {guest.name} died: {oops.title if oops else 'it said nothing'}"


async def _all(parts: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all concurrently and wait for all; then raise the first error, so that none interrupts another."""
    for end in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end
