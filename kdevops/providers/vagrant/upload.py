"""Track unfinished uploads of boxes to libvirt's pools.

vagrant-libvirt takes any volume of the right name as the complete box. After an interrupted upload every lab would boot
from the partial one; so a note is kept while Vagrant uploads, and volumes smaller than the box are removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError
from kdevops.files import write_atomic
from kdevops.providers.vagrant.box import volumes
from kdevops.providers.vagrant.errors import translate
from kdevops.providers.vagrant.hypervisors import Hypervisors
from kdevops.providers.vagrant.lab import VagrantLab

# Output of the plugin (locales/en.yml of its sources). Its progress may precede it on the same line.
_BEGUN = re.compile(r"==> (\S{1,100}): Uploading base box image as volume")
_DONE = re.compile(
    r"==> (\S{1,100}): Creating (?:image \(snapshot of base box volume\)|domain with the following settings)"
)


@dataclass(frozen=True)
class Uploads:
    """The uploads of a lab, by the guest for which Vagrant started them. `tell` takes messages for people."""

    known: VagrantLab
    hypervisors: Hypervisors
    tell: Callable[[str], None]
    _going: set[str] = field(default_factory=set, repr=False, compare=False)

    def hear(self, line: str) -> None:
        """Process a line of `vagrant up`'s output."""
        if (begun := _BEGUN.search(line)) and begun[1] in self.known.lab.guest_names() and self.known.box:
            self._going.add(begun[1])
            there = {"uri": self.known.hypervisor(begun[1]), "pool": self.known.vagrant.pool}
            self._keep({**self._noted(), begun[1]: {**there, "volumes": volumes(self.known.box.name)}})
        elif done := _DONE.search(line):
            self.done(done[1])

    def done(self, name: str) -> None:
        """A guest has its disk."""
        self._going.discard(name)
        noted = self._noted()
        if noted.pop(name, None):
            self._keep(noted)

    async def mend(self, name: str = "") -> None:
        """Remove unfinished uploads that are no longer in progress; for the guest `name`, Vagrant has stopped.

        Raises KdevopsError if the hypervisor refuses.
        """
        self._going.discard(name)
        for guest, begun in self._noted().items():
            if guest in self._going or self.hypervisors.silent:
                continue
            for volume, size in begun["volumes"].items():
                try:
                    removed = await self.hypervisors.remove_partial(begun["uri"], begun["pool"], volume, size)
                except CommandError as error:
                    raise translate(error.output, command="the removal of a partial box", log=self.known.log) from None
                if removed:
                    self.tell(f"{volume} is removed, because its upload was interrupted")
            self.done(guest)

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._path.read_bytes())
            return {guest: begun for guest, begun in noted.items() if begun.keys() == {"uri", "pool", "volumes"}}
        except (OSError, ValueError, AttributeError):
            return {}  # there is none, or it is from another version

    def _keep(self, noted: dict[str, Any]) -> None:
        if noted:
            write_atomic(self._path, json.dumps(noted), mode=0o600)
        else:
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.known.directory.path / "uploading.json"
