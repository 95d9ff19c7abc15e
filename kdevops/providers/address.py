"""How to reach a machine with its own operating system, and how its cloud reports its state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdevops.lab.cloud import all_facts


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach one machine and how to control it. Commands are argv lists for this controller.

    `identity` changes if another machine takes the name. `key` None: use the user's agent. `disks` are device paths in
    the machine, in the order of the lab's `guests.disks`. `reset` power-cycles it, `state` prints "running" or "active"
    while it exists. `console` prints its serial console: everything so far, or with `console_streams` from now on
    without end. `host_key` is "ssh-ed25519 AAAA…", if it is known without asking the machine.
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
    """How the clouds' command line tools report on stderr that a machine does not exist."""
    return re.compile("|".join(f"(?:{each})" for facts in all_facts().values() for each in facts.absent), re.IGNORECASE)


@cache
def _running() -> frozenset[str]:
    return frozenset(word for facts in all_facts().values() for word in facts.running)


def is_absent(complaint: str) -> bool:
    """Whether a failed `state` command reported that the machine does not exist, as opposed to another failure."""
    return _absent().search(complaint[-4096:]) is not None


def is_running(printed: str) -> bool:
    """Whether a `state` command reported a running machine: Google prints RUNNING, OpenStack ACTIVE."""
    return printed.strip().lower() in _running()
