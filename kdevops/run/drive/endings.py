"""What to do as a harness works through its tests, and with those that it leaves: decisions from facts.

Whatever is decided here, each test gets exactly one status, or goes back to the queue; and what is the infrastructure's doing
gives no test any status but `missing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kdevops.run.drive.job import MAX_LOST


class Look(Enum):
    """GO_ON watching; the harness ENDED; the guest DIED; STOP: nothing more is to be expected of this go."""

    GO_ON = auto()
    ENDED = auto()
    DIED = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a harness at work shows.

    `done`: it ended. `alive`: nothing says that the guest's kernel did. `overdue`: a test, or the harness without one, is past
    its deadline. `unfit`: the kernel said that nothing more in this guest can be trusted. `unserved`: a server is lost.
    """

    done: bool = False
    alive: bool = True
    overdue: bool = False
    unfit: bool = False
    unserved: bool = False


def look(seen: Seen) -> Look:
    """What a look at a harness means. What it said to its end counts, also where something else happened just then."""
    if seen.done:
        return Look.ENDED
    if not seen.alive:
        return Look.DIED
    return Look.STOP if seen.unfit or seen.overdue or seen.unserved else Look.GO_ON


class Ending(Enum):
    """Why a go of the harness is over.

    UNSERVED: a server is lost. LOST: the guest is, or the way to it. HUNG: a deadline passed. SPOILT: the kernel said that
    nothing more can be trusted. ENDED: the harness ended by itself.
    """

    UNSERVED = auto()
    LOST = auto()
    HUNG = auto()
    SPOILT = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Over:
    """A go that is over. `lost`: the guest or the connection broke. `ended`: the harness itself. Others are as in `Seen`."""

    ended: bool = False
    lost: bool = False
    unfit: bool = False
    unserved: bool = False


_ENDINGS: tuple[tuple[Callable[[Over], bool], Ending], ...] = (
    (lambda over: over.unserved, Ending.UNSERVED),
    (lambda over: over.lost, Ending.LOST),
    (lambda over: over.ended, Ending.ENDED),
    (lambda over: over.unfit, Ending.SPOILT),
    (lambda _: True, Ending.HUNG),
)
"""The first that holds decides. Whatever happens without a server is no sign of anything else."""


def ending(over: Over) -> Ending:
    """Why a go is over."""
    return next(end for holds, end in _ENDINGS if holds(over))


class Belief(Enum):
    """What the harness says of a test is TAKEN, or the test runs AGAIN, or is MISSING."""

    TAKEN = auto()
    AGAIN = auto()
    MISSING = auto()


def belief(*, doubted: bool, lost: int) -> Belief:
    """Whether to believe a status that was told. `lost`: how often its work was started again before."""
    if not doubted:
        return Belief.TAKEN
    return Belief.MISSING if lost >= MAX_LOST else Belief.AGAIN


class Unfinished(Enum):
    """What becomes of tests that a harness that ended has not told of.

    NONE are left. BLAME: the one in flight is tried alone, the others go back to their pool. AGAIN: all go on a fresh guest.
    MISSING: they have no result; with MISSING_ALIKE nor have those that wait and are of the same suite and profile.
    """

    NONE = auto()
    BLAME = auto()
    AGAIN = auto()
    MISSING = auto()
    MISSING_ALIKE = auto()


@dataclass(frozen=True, slots=True)
class Rest:
    """A harness that ended.

    `left`: there are tests that it did not tell of. `in_flight`: it was in one of them. `complains`: it said why it does not
    run them. `lost`: how often this work was started again.
    """

    left: bool = True
    in_flight: bool = False
    complains: bool = False
    lost: int = 0


_UNFINISHED: tuple[tuple[Callable[[Rest], bool], Unfinished], ...] = (
    (lambda rest: not rest.left, Unfinished.NONE),
    (lambda rest: rest.in_flight and not rest.complains, Unfinished.BLAME),
    # It may say something else on a fresh guest; one that complains is asked once more only.
    (lambda rest: rest.lost < (1 if rest.complains else MAX_LOST), Unfinished.AGAIN),
    (lambda rest: rest.complains, Unfinished.MISSING_ALIKE),
    (lambda _: True, Unfinished.MISSING),
)
"""The first that holds decides."""


def unfinished(rest: Rest) -> Unfinished:
    """What becomes of the tests that are left."""
    return next(what for holds, what in _UNFINISHED if holds(rest))
