"""Copies of a box that were begun in libvirt's pools.

vagrant-libvirt takes any volume of the right name for the whole box. One whose upload was stopped would be booted from for ever,
by every lab; so a note of it is kept from when Vagrant begins until it is done, and what is less than the box is removed.
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

# What the plugin says (locales/en.yml of its sources). Its progress may stand before, on the same line.
_BEGUN = re.compile(r"==> (\S{1,100}): Uploading base box image as volume")
_DONE = re.compile(
    r"==> (\S{1,100}): Creating (?:image \(snapshot of base box volume\)|domain with the following settings)"
)


@dataclass(frozen=True)
class Uploads:
    """Those of a lab, by the guest that Vagrant began them for. `tell` takes news for people."""

    known: VagrantLab
    hypervisors: Hypervisors
    tell: Callable[[str], None]
    _going: set[str] = field(default_factory=set, repr=False, compare=False)

    def hear(self, line: str) -> None:
        """A line of what `vagrant up` says."""
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
        """Remove what was begun and is not at work any more; for the guest `name` Vagrant works no longer.

        Raises KdevopsError where the hypervisor does not let us.
        """
        self._going.discard(name)
        for guest, begun in self._noted().items():
            if guest in self._going or self.hypervisors.silent:
                continue
            for volume, size in begun["volumes"].items():
                try:
                    removed = await self.hypervisors.remove_partial(begun["uri"], begun["pool"], volume, size)
                except CommandError as error:
                    raise translate(error.output, command="the removal of half a box", log=self.known.log) from None
                if removed:
                    self.tell(f"{volume} is removed, for its upload was stopped half way")
            self.done(guest)

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._path.read_bytes())
            return {guest: begun for guest, begun in noted.items() if begun.keys() == {"uri", "pool", "volumes"}}
        except (OSError, ValueError, AttributeError):
            return {}  # none, or one that another version wrote

    def _keep(self, noted: dict[str, Any]) -> None:
        if noted:
            write_atomic(self._path, json.dumps(noted), mode=0o600)
        else:
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.known.directory.path / "uploading.json"
