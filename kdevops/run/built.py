"""What a lab is made into before a guest is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdevops.images.image import BaseImage
from kdevops.kernel.artifact import Artifact
from kdevops.lab.servers import Server
from kdevops.providers.base import PayloadDisk
from kdevops.run.guests.prepare import Furniture, payload_serial
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PreparedSuite

if TYPE_CHECKING:
    from kdevops.providers.vagrant.render import VagrantBox


@dataclass(frozen=True, slots=True)
class Root:
    """What guests start from: an image or a box of Vagrant's where there is one. `origin` is what a run remembers of it."""

    origin: Mapping[str, Any]
    image: BaseImage | None = None
    box: VagrantBox | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a run needs of its lab. `secrets` are files of ours by their path in the guests that tests run in.

    Guests start from the `image`, or from the `box` where Vagrant gives them; `origin` is what a run remembers of either.
    `installed`: guests have the kernel and its modules on their own disk.
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
        """Those whose tests are commands in a running guest."""
        return tuple(suite for suite in self.suites if isinstance(suite, GuestSuite))

    @property
    def boot_suites(self) -> tuple[BootSuite, ...]:
        """Those whose tests run while the kernel boots."""
        return tuple(suite for suite in self.suites if isinstance(suite, BootSuite))

    @property
    def chunk_suites(self) -> tuple[ChunkSuite, ...]:
        """Those with a harness of their own."""
        return tuple(suite for suite in self.suites if isinstance(suite, ChunkSuite))

    @property
    def furniture(self) -> Furniture:
        """What every guest that tests run in is given."""
        suites: tuple[GuestSuite | ChunkSuite, ...] = (*self.guest_suites, *self.chunk_suites)
        modules = None if self.installed else self.artifact.modules
        return Furniture(self.artifact.release, self.artifact.build_id, modules, suites, self.secrets)

    @property
    def payloads(self) -> tuple[PayloadDisk, ...]:
        """What guests are lent on disks."""
        return tuple(PayloadDisk(payload_serial(suite), suite.disk) for suite in self.chunk_suites if suite.disk)

    @property
    def quiet_cmdline(self) -> tuple[str, ...]:
        """Kernel parameters of a boot in which no boot suite runs."""
        return tuple(word for suite in self.boot_suites for word in suite.cmdline(()))
