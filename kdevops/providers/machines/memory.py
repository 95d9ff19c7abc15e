"""What a lab remembers of its machines between two commands: a file for each, and its pinned host key."""

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
from kdevops.providers.shared.machine_state import Machine


@dataclass(frozen=True)
class Memory:
    """Remembers the machines of one lab. `lasting`: they are somebody's, and are known also after they were given back."""

    lab: Lab
    directory: LabDirectory
    lasting: bool

    @cached_property
    def shape(self) -> str:
        """What the machines are made as. Which machine is whose, and how long it is waited for, does not matter here."""
        facts = [self.lab.guests.model_dump(mode="json", exclude={"image", "count"})]
        own = {"boot_timeout", "slowness", "hosts", "scratch"}
        return hash_of([*facts, self.lab.provider.model_dump(mode="json", exclude=own)])

    def of(self, name: str) -> Machine | None:
        """What is remembered of the machine that had this name last."""
        return Machine.load(self._path(name))

    def known(self, name: str, identity: str) -> Machine | None:
        """What is remembered of this very machine, made as the lab says now."""
        machine = self.of(name)
        return machine if machine and machine.shape == self.shape and machine.identity == identity else None

    def change(self, name: str, **changes: Any) -> Machine:
        """Remember these facts, too."""
        machine = replace(self.of(name) or Machine(self.shape), **changes)
        machine.store(self._path(name))
        return machine

    def forget(self, name: str) -> None:
        """The machine was given back."""
        if not self.lasting:
            self._path(name).unlink(missing_ok=True)
            hostkeys.pin(self.directory.known_hosts, name, "")
        elif machine := self.of(name):  # whose host key is still pinned
            Machine(machine.shape, identity=machine.identity).store(self._path(name))

    def forget_another(self, name: str, identity: str) -> None:
        """A machine that took another's name has a host key of its own, and nothing in common with it."""
        machine = self.of(name)
        if machine and machine.identity != identity:
            hostkeys.pin(self.directory.known_hosts, name, "")
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self.directory.guest(name) / "machine.json"


def hash_of(facts: list[Any]) -> str:
    """A name for these facts, which are JSON."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
