"""What is remembered of a machine with a boot loader of its own, and how its death is seen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.guest.console import Reader

_LAST_WORDS = (
    b"Kernel panic - not syncing",
    b"sysrq: Resetting",
    b"reboot: Restarting system",
    b"reboot: System halted",
    b"reboot: Power down",
)
"""What a kernel says at its end (kernel/panic.c, kernel/reboot.c, drivers/tty/sysrq.c)."""
_LONGEST = max(map(len, _LAST_WORDS))


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as it was last left; kept in a file, so that another command finds it.

    `shape` and `boots` are hashes: of what the machine was made as, and of what it booted. `saved` is the `boots` of the
    moment that was remembered, "" for none. `spoilt`: it must not be used as it is. `console` is where the present boot
    begins in the recorded console, in bytes. `boot_id` is what its kernel calls this boot, `identity` tells the machine from
    another one that is given under its name; both are "" where nobody asked.
    """

    shape: str
    boots: str = ""
    saved: str = ""
    host: str = ""
    port: int = 0
    kernel: str = ""
    console: int = 0
    stay: bool = False
    spoilt: bool = False
    boot_id: str = ""
    identity: str = ""

    @classmethod
    def load(cls, path: Path) -> Machine | None:
        """What was kept in `path`; None where nothing was, or nothing that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def store(self, path: Path) -> None:
        """Keep it in `path`."""
        write_atomic(path, json.dumps(asdict(self)), mode=0o600)


@dataclass
class DeathWatch:
    """Whether a machine lives, from files that are cheap to look at five times a second.

    A kernel that panics or reboots is followed by another, and the machine runs on: only its console tells. `pidfile` is
    libvirt's of the domain, where this user can see it.
    """

    console: Path
    offset: int
    pidfile: Path | None = None
    _rest: bytes = b""
    _dead: bool = field(default=False)
    told: bool = field(default=False, init=False)
    """Whether the console said that the kernel ends, at the last look."""

    def __post_init__(self) -> None:
        self._reader = Reader(self.console, self.offset)

    def alive(self) -> bool:
        """Whether the machine runs, and its kernel has not ended since the watch began."""
        self.told = self.told or self._ended()
        self._dead = self._dead or self.told or (self.pidfile is not None and not self.pidfile.exists())
        return not self._dead

    def _ended(self) -> bool:
        try:
            while chunk := self._reader.read():
                text = self._rest + chunk
                if says_end(text):
                    return True
                self._rest = text[-_LONGEST:]
        except OSError:
            return False  # no console is no proof of death
        return False


def says_end(text: bytes) -> bool:
    """Whether in this part of a console a kernel says that it ends."""
    return any(words in text for words in _LAST_WORDS)
