"""The records of a lab's machines between two commands: a file for each, and its pinned host key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kdevops.guest import hostkeys
from kdevops.lab.model import Lab
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.shared.machine_state import MachineState


@dataclass(frozen=True)
class Memory:
    """Records of the machines of one lab. `preexisting`: they were not created for it, and their records outlive `down`."""

    lab: Lab
    directory: LabDirectory
    preexisting: bool

    @cached_property
    def shape(self) -> str:
        """A hash of the machines' definition, without the assignment of hosts and timeouts."""
        facts = [self.lab.guests.model_dump(mode="json", exclude={"image", "count"})]
        own = {"boot_timeout", "slowness", "hosts", "scratch"}
        return hash_of([*facts, self.lab.provider.model_dump(mode="json", exclude=own)])

    def of(self, name: str) -> MachineState | None:
        """The record of the last machine of this name."""
        return MachineState.load(self._path(name))

    def known(self, name: str, identity: str) -> MachineState | None:
        """The record of exactly this machine, if the definition in the lab is unchanged."""
        machine = self.of(name)
        return machine if machine and machine.shape == self.shape and machine.identity == identity else None

    def change(self, name: str, **changes: Any) -> MachineState:
        """Update the record with these facts."""
        machine = replace(self.of(name) or MachineState(self.shape), **changes)
        machine.store(self._path(name))
        return machine

    def forget(self, name: str) -> None:
        """The machine was given back."""
        if not self.preexisting:
            self._path(name).unlink(missing_ok=True)
            hostkeys.pin(self.directory.known_hosts, name, "")
        elif machine := self.of(name):  # its host key stays pinned
            MachineState(machine.shape, identity=machine.identity).store(self._path(name))

    def forget_another(self, name: str, identity: str) -> None:
        """Drop the record and host key of another machine that had this name before."""
        machine = self.of(name)
        if machine and machine.identity != identity:
            hostkeys.pin(self.directory.known_hosts, name, "")
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self.directory.guest(name) / "machine.json"


def hash_of(facts: list[Any]) -> str:
    """A hash of these facts, which are JSON."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
