"""The results of building a lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdevops.images.image import BaseImage
from kdevops.kernel.artifact import Artifact
from kdevops.lab.servers import Server
from kdevops.providers.base import PayloadDisk
from kdevops.run.guests.prepare import GuestSetup, payload_serial
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PreparedSuite

if TYPE_CHECKING:
    from kdevops.providers.vagrant.render import VagrantBox


@dataclass(frozen=True, slots=True)
class Root:
    """What guests start from: our image, a Vagrant box, or neither. `origin`: its description in the run's record."""

    origin: Mapping[str, Any]
    image: BaseImage | None = None
    box: VagrantBox | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a run needs from its lab. `secrets`: our files by their path in the guests that run tests.

    Guests start from the `image`, or with Vagrant from the `box`; `origin` describes either in the run's record.
    `installed`: the kernel and its modules are installed on the guests' own disk.
    """

    artifact: Artifact
    image: BaseImage | None
    suites: tuple[PreparedSuite, ...]
    servers: tuple[Server, ...] = ()
    secrets: Mapping[str, Path] = field(default_factory=dict)
    box: VagrantBox | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    installed: bool = False

    @property
    def guest_suites(self) -> tuple[GuestSuite, ...]:
        """Suites whose tests are commands in a running guest."""
        return tuple(suite for suite in self.suites if isinstance(suite, GuestSuite))

    @property
    def boot_suites(self) -> tuple[BootSuite, ...]:
        """Suites whose tests run while the kernel boots."""
        return tuple(suite for suite in self.suites if isinstance(suite, BootSuite))

    @property
    def chunk_suites(self) -> tuple[ChunkSuite, ...]:
        """Suites with a harness of their own."""
        return tuple(suite for suite in self.suites if isinstance(suite, ChunkSuite))

    @property
    def guest_setup(self) -> GuestSetup:
        """What to put into every guest that runs tests."""
        suites: tuple[GuestSuite | ChunkSuite, ...] = (*self.guest_suites, *self.chunk_suites)
        modules = None if self.installed else self.artifact.modules
        return GuestSetup(self.artifact.release, self.artifact.build_id, modules, suites, self.secrets)

    @property
    def payloads(self) -> tuple[PayloadDisk, ...]:
        """Suites' payloads that guests get as disks."""
        return tuple(PayloadDisk(payload_serial(suite), suite.disk) for suite in self.chunk_suites if suite.disk)

    @property
    def quiet_cmdline(self) -> tuple[str, ...]:
        """Kernel parameters for a boot without tests of boot suites."""
        return tuple(word for suite in self.boot_suites for word in suite.cmdline(()))
