"""Where machines with an operating system of their own come from: a cloud, or somebody's rack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """How to reach one machine and what may be done to it. Commands are argv lists for this controller.

    `identity` changes when the machine is another one under the same name. `key` None: what the user's agent has.
    `disks` are device paths in the machine, in the order of the lab's `guests.disks`. `reset` power-cycles it, `state`
    prints "running" or "active" while it exists. `console` prints its serial console: all there is so far, or with
    `console_streams` from now on and without end. `host_key` is "ssh-ed25519 AAAA…", where it is known otherwise than by
    asking the machine.
    """

    host: str
    port: int = 22
    user: str = "root"
    key: Path | None = None
    host_key: str = ""
    identity: str = ""
    disks: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    console: tuple[str, ...] = ()
    console_streams: bool = False


_ABSENT = re.compile(
    r"not ?found|does not exist|no longer exists|NotAuthorizedOrNotFound|No \w+ found for|No \w+ with a name or ID of",
    re.IGNORECASE,
)
"""How gcloud, az, aws, oci and openstack say on stderr that there is no such machine."""


def is_absent(complaint: str) -> bool:
    """Whether a `state` command that failed complained that there is no such machine, and not that it could not ask."""
    return _ABSENT.search(complaint[-4096:]) is not None


def is_running(printed: str) -> bool:
    """Whether a `state` command said that the machine is there and runs: Google prints RUNNING, OpenStack ACTIVE."""
    return printed.strip().lower() in {"running", "active"}


class Machines(Protocol):
    """Makes the machines of one lab, or knows where they are."""

    @property
    def why(self) -> str:
        """In a few words where they are, for the user: "3 machines that exist", "aws, eu-central-1"."""

    async def foresee(self, names: tuple[str, ...]) -> None:
        """Before long work is done for these machines: ask what has to be agreed to, and make nothing.

        Raises KdevopsError for what is known already not to be had.
        """

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Place]:
        """Have these machines exist. Raises KdevopsError for what cannot be had.

        Of several, one that cannot be had may be left out; whoever is asked for it alone says why.
        """

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        """Give machines back, all of the lab without names, also what an interrupted `start` left."""

    async def states(self) -> Mapping[str, str]:
        """Which machines there are, by name: "running", or what else is known of them."""

    def known(self) -> Mapping[str, Place]:
        """The machines as they were last seen, without asking anybody."""

    def command_lines(self) -> Mapping[str, list[str]]:
        """How each was made, for the record of a run."""
