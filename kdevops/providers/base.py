"""The interface of all providers of guests; the rest of the program uses nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kdevops.guest.ssh import SshTarget
from kdevops.providers.acceleration import Acceleration


@dataclass(frozen=True, slots=True)
class BootKernel:
    """A kernel to boot directly. `key` is the content hash that tells whether a running guest booted it."""

    image: Path
    key: str
    cmdline: tuple[str, ...] = ()
    initrd: Path | None = None


@dataclass(frozen=True, slots=True)
class PayloadDisk:
    """A file system lent to guests: each may write to it until its next boot, and `path` itself is unchanged.

    Guests find it by `serial` (up to 20 bytes): /dev/disk/by-id/virtio-<serial>. `path` is named by content.
    """

    serial: str
    path: Path
    format: Literal["raw", "qcow2"] = "raw"


@dataclass(frozen=True, slots=True)
class GuestStatus:
    """What is known about a guest without asking it: "running" or "stopped", and its ssh address and console."""

    name: str
    state: str
    address: str = ""
    port: int = 0
    console: str = ""
    kernel: str = ""


class Guest(Protocol):
    """One live guest."""

    @property
    def name(self) -> str:
        """Its name, unique in the lab."""

    @property
    def ssh(self) -> SshTarget:
        """How to reach it."""

    @property
    def console(self) -> Path:
        """The file with its recorded serial console."""

    @property
    def persist(self) -> bool:
        """Whether it outlives the command that started it."""

    def alive(self) -> bool:
        """Whether the machine runs at all; says nothing about its kernel."""

    async def gone(self) -> str:
        """Why the machine itself is gone, for example taken away by a cloud; "" while it exists, or if that is unknown.

        Called after the guest was lost. Afterwards the recorded console is as complete as possible.
        """

    async def held(self) -> str:
        """Why the machine exists but does not run at the moment: it was stopped, or its disk is full; else "".

        Called several times a second while a test runs, and returns at once; "" also if it is unknown.
        """

    async def restarted(self) -> bool:
        """Whether the machine runs another kernel than the one it was given, although nothing reported that this one
        ended.

        Called after the guest was lost; may take as long as a boot. False for machines that cannot do so unnoticed.
        """

    async def discard(self) -> None:
        """Have nothing more of it, because it is not fit for tests: the next `up` of it is a fresh boot."""

    async def down(self) -> None:
        """Stop it and give back what it used."""

    async def sysrq(self, keys: str) -> None:
        """Send these magic SysRq keys to its kernel over the console. Raises InfrastructureError if it cannot."""


class Provider(Protocol):
    """Provides guests. Timeouts are stretched by `slowdown`, which is 1.0 unless the CPU is emulated."""

    @property
    def slowdown(self) -> float:
        """How much slower than real hardware guests are."""

    @property
    def accel(self) -> Acceleration:
        """The guests' CPU acceleration, and how it was determined."""

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> Guest:
        """Bring one guest up, or return it at once if it already runs and is healthy. Raises BootError.

        Without `persist`, a guest dies with this process. `fresh` forces a new boot.
        """

    def attach(self, name: str) -> Guest | None:
        """The guest if it runs, regardless of what it booted; None otherwise."""

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, in order. Raises KdevopsError if the provider's tool fails."""

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The kernel parameters that `up` uses for a guest, without those that only its image needs."""

    def command_lines(self) -> dict[str, list[str]]:
        """How each guest was last started, by name, for the record of a run."""

    async def down(self) -> None:
        """Stop all guests of the lab, including leftovers of an interrupted command."""
