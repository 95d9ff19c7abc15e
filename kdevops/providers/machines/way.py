"""How a machine that is asked for is brought up: decisions from facts that the provider gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Way(Enum):
    """KEEP it as it is; REFUSE: it was made for the lab and does not come up; RESET it first, or INSTALL the kernel at once."""

    KEEP = auto()
    REFUSE = auto()
    RESET = auto()
    INSTALL = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a machine that is asked for.

    `now`: the boot that it is in, "" where it does not answer, or was not asked because it will be reset anyhow. `known`: the
    lab had this very machine before; `had` is the boot in which it was given then, `same` whether that booted the kernel and
    the parameters that are asked for now, `spoilt` whether a test left it unfit. `fresh`: a boot is wanted in which nothing ran
    yet. `lasting`: the machine is somebody's, and not made for the lab.
    """

    now: str = ""
    known: bool = False
    had: str = ""
    same: bool = False
    spoilt: bool = False
    fresh: bool = False
    lasting: bool = False

    @property
    def unfit(self) -> bool:
        """Whether the boot in which it was given last must not be used again."""
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
    (lambda found: not (found.now or found.known or found.lasting), Way.REFUSE),
    (lambda found: not found.now or (found.now == found.used and found.unfit), Way.RESET),
    (lambda _: True, Way.INSTALL),
)
"""The first that holds decides."""


def way_up(found: Found) -> Way:
    """What is done first with a machine that is asked for."""
    return next(way for holds, way in _WAYS if holds(found))


def boot_again(found: Found, boot_id: str) -> bool:
    """Whether a machine that got its kernel and is in `boot_id` now needs another boot: the kernel was there already."""
    return found.fresh and boot_id == found.used


class Trust(Enum):
    """Whether a remembered address still holds: YES, UNLESS_GONE (ask whoever has the machine), or NO: ask for it afresh."""

    YES = auto()
    UNLESS_GONE = auto()
    NO = auto()


def trust(now: str, had: str, *, doomed: bool, lasting: bool) -> Trust:
    """What a remembered address is worth. `now` and `had` are as in `Found`; `doomed`: the machine will be reset anyhow."""
    if now and now == had:
        return Trust.YES
    # One in a cloud that does not answer may be behind a firewall that knows an old address of ours; starting it mends that.
    return Trust.UNLESS_GONE if now or doomed or lasting else Trust.NO
