"""How to reach a machine that has an operating system of its own, and what it says of whether it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdevops.lab.cloud import all_facts


@dataclass(frozen=True, slots=True)
class Address:
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


@cache
def _absent() -> re.Pattern[str]:
    """How the clouds' command line tools say on stderr that there is no such machine."""
    return re.compile("|".join(f"(?:{each})" for facts in all_facts().values() for each in facts.absent), re.IGNORECASE)


@cache
def _running() -> frozenset[str]:
    return frozenset(word for facts in all_facts().values() for word in facts.running)


def is_absent(complaint: str) -> bool:
    """Whether a `state` command that failed complained that there is no such machine, and not that it could not ask."""
    return _absent().search(complaint[-4096:]) is not None


def is_running(printed: str) -> bool:
    """Whether a `state` command said that the machine is there and runs: Google prints RUNNING, OpenStack ACTIVE."""
    return printed.strip().lower() in _running()
