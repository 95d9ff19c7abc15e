"""The recorded state of a machine with its own boot loader, and how its death is detected."""

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
"""Last messages of a kernel (kernel/panic.c, kernel/reboot.c, drivers/tty/sysrq.c)."""
_LONGEST = max(map(len, _LAST_WORDS))


@dataclass(frozen=True, slots=True)
class MachineState:
    """The last state of one machine; stored in a file for other commands.

    `shape` and `boots` are hashes: of the machine's definition, and of what it booted. `saved` is the `boots` of its
    snapshot, "" for none. `spoilt`: it must not be used as it is. `console` is the offset of the current boot in the
    recorded console, in bytes. `boot_id` is the kernel's id of this boot, `identity` distinguishes the machine from
    another one of the same name; both are "" if unknown. `persist` (the guest outlives the command that started it) is
    "stay" in the file.
    """

    shape: str
    boots: str = ""
    saved: str = ""
    host: str = ""
    port: int = 0
    kernel: str = ""
    console: int = 0
    persist: bool = False
    spoilt: bool = False
    boot_id: str = ""
    identity: str = ""

    @classmethod
    def load(cls, path: Path) -> MachineState | None:
        """The state in `path`; None if there is none, or if it cannot be read."""
        try:
            facts = dict(**json.loads(path.read_text()))
            return cls(persist=facts.pop("stay", False), **facts)
        except (OSError, ValueError, TypeError):
            return None

    def store(self, path: Path) -> None:
        """Store it in `path`."""
        facts = asdict(self)
        facts["stay"] = facts.pop("persist")
        write_atomic(path, json.dumps(facts), mode=0o600)


@dataclass
class DeathWatch:
    """Whether a machine lives, from files that are cheap to check five times a second.

    After a panic or reboot another kernel starts and the machine keeps running, so only its console shows that.
    `pidfile` is libvirt's for the domain, if this user can see it.
    """

    console: Path
    offset: int
    pidfile: Path | None = None
    _rest: bytes = b""
    _dead: bool = field(default=False)
    saw_end: bool = field(default=False, init=False)
    """Whether the console showed the kernel's end, at the last check."""

    def __post_init__(self) -> None:
        self._reader = Reader(self.console, self.offset)

    def alive(self) -> bool:
        """Whether the machine runs and its kernel has not ended since the watch began."""
        self.saw_end = self.saw_end or self._ended()
        self._dead = self._dead or self.saw_end or (self.pidfile is not None and not self.pidfile.exists())
        return not self._dead

    def _ended(self) -> bool:
        try:
            while chunk := self._reader.read():
                text = self._rest + chunk
                if says_end(text):
                    return True
                self._rest = text[-_LONGEST:]
        except OSError:
            return False  # a missing console does not prove death
        return False


def says_end(text: bytes) -> bool:
    """Whether a kernel reports its end in this part of a console."""
    return any(words in text for words in _LAST_WORDS)
