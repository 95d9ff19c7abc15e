"""How to bring up a requested machine: decisions from facts that the provider collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Way(Enum):
    """KEEP it; REFUSE: it was made for the lab and does not come up; RESET it first; INSTALL the kernel at once."""

    KEEP = auto()
    REFUSE = auto()
    RESET = auto()
    INSTALL = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """Facts about a requested machine.

    `now`: the id of its boot, "" if it does not answer, or was not asked because it will be reset anyway. `known`: the
    lab had exactly this machine before; `had` is the boot in which it was handed out then, `same` whether that booted
    the requested kernel and parameters, `spoilt` whether a test left it unfit. `fresh`: an unused boot is required.
    `preexisting`: an existing host, not created for the lab.
    """

    now: str = ""
    known: bool = False
    had: str = ""
    same: bool = False
    spoilt: bool = False
    fresh: bool = False
    preexisting: bool = False

    @property
    def unfit(self) -> bool:
        """Whether the boot in which it was last handed out must not be used again."""
        return self.known and (self.spoilt or (self.fresh and self.same))

    @property
    def used(self) -> str:
        """The boot that is not fresh."""
        return self.had or self.now


_WAYS: tuple[tuple[Callable[[Found], object], Way], ...] = (
    (
        lambda found: found.known and found.now == found.had and found.same and not (found.spoilt or found.fresh),
        Way.KEEP,
    ),
    (lambda found: not (found.now or found.known or found.preexisting), Way.REFUSE),
    (lambda found: not found.now or (found.now == found.used and found.unfit), Way.RESET),
    (lambda _: True, Way.INSTALL),
)
"""The first match decides."""


def way_up(found: Found) -> Way:
    """The first step with a requested machine."""
    return next(way for holds, way in _WAYS if holds(found))


def boot_again(found: Found, boot_id: str) -> bool:
    """Whether a machine in `boot_id` after the installation needs another boot: the kernel was already running."""
    return found.fresh and boot_id == found.used


class Trust(Enum):
    """Whether a recorded address is valid: YES, UNLESS_GONE (ask the machine source first), or NO: request it again."""

    YES = auto()
    UNLESS_GONE = auto()
    NO = auto()


def trust(now: str, had: str, *, doomed: bool, preexisting: bool) -> Trust:
    """Whether to trust a recorded address. `now` and `had` are as in `Found`; `doomed`: it will be reset anyway."""
    if now and now == had:
        return Trust.YES
    # A cloud machine that does not answer may be behind a firewall with an old address of ours; starting it fixes that.
    return Trust.UNLESS_GONE if now or doomed or preexisting else Trust.NO
