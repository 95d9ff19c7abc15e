"""What every provider of guests can do; the rest of the program knows only this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kdevops.guest.ssh import SshTarget
from kdevops.providers.acceleration import Acceleration


@dataclass(frozen=True, slots=True)
class BootKernel:
    """A kernel to boot directly. `key` is the content hash by which a running guest is recognised as having booted it."""

    image: Path
    key: str
    cmdline: tuple[str, ...] = ()
    initrd: Path | None = None


@dataclass(frozen=True, slots=True)
class PayloadDisk:
    """A file system that guests are lent, each to write to as it likes until its next boot; `path` itself stays as it is.

    A guest finds it by `serial`, of 20 bytes at most: /dev/disk/by-id/virtio-<serial>. `path` is named by content.
    """

    serial: str
    path: Path
    format: Literal["raw", "qcow2"] = "raw"


@dataclass(frozen=True, slots=True)
class GuestStatus:
    """What is known of one guest without asking it: "running" or "stopped", and where its ssh and console are."""

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
        """The file its serial console is recorded in."""

    @property
    def stay(self) -> bool:
        """Whether it was told to outlive the command that started it."""

    def alive(self) -> bool:
        """Whether the machine runs at all; says nothing about its kernel."""

    async def gone(self) -> str:
        """Why the machine itself is no more, as when a cloud took it away; "" while it is there, or nobody can tell.

        Asked when the guest was lost. After it the recorded console is as complete as it can be.
        """

    async def held(self) -> str:
        """Why the machine does not run at this moment though it is there: it was stopped, or its disk is full; "" else.

        It is asked several times a second while a test runs, and answers at once; "" also where nobody can tell.
        """

    async def restarted(self) -> bool:
        """Whether the machine runs another kernel than the one it was given, though nothing said that this one ended.

        Asked when the guest was lost; it may take as long as a boot. False for machines that cannot do so unseen.
        """

    async def discard(self) -> None:
        """Have nothing more of it, because it is not fit for tests: the next `up` of it is a fresh boot."""

    async def down(self) -> None:
        """Stop it and give back what it used."""

    async def sysrq(self, keys: str) -> None:
        """Send these magic SysRq keys to its kernel over the console. Raises InfrastructureError where that cannot be."""


class Provider(Protocol):
    """Gives guests. Timeouts elsewhere are stretched by `factor`, which is 1.0 where the CPU is not emulated."""

    @property
    def factor(self) -> float:
        """How much slower than real hardware guests are."""

    @property
    def accel(self) -> Acceleration:
        """What guests' CPUs are made by, and how that was found out."""

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), stay: bool = False, fresh: bool = False
    ) -> Guest:
        """Bring one guest up, or return it at once when it is there and healthy. Raises BootError.

        Unless it is told to `stay`, a guest dies with this process. `fresh` forces a new boot.
        """

    def attach(self, name: str) -> Guest | None:
        """The guest if it runs, whatever it booted; None otherwise."""

    async def status(self) -> tuple[GuestStatus, ...]:
        """All guests of the lab, in order. Raises KdevopsError where the provider's tool cannot be asked."""

    def parameters(self, extra_cmdline: Sequence[str] = ()) -> tuple[str, ...]:
        """The parameters that `up` has a guest's kernel started with, without what only its image needs."""

    def command_lines(self) -> dict[str, list[str]]:
        """How each guest was last started, by its name, for the record of a run."""

    async def down(self) -> None:
        """Stop all guests of the lab, also ones an interrupted command left behind."""
