"""Pure decisions about a running harness and the tests it leaves unfinished.

Every test gets exactly one status or goes back to the queue. Infrastructure trouble never gives a test a status other than
`missing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kdevops.run.drive.job import MAX_LOST


class Look(Enum):
    """GO_ON watching; the harness ENDED; the guest DIED; STOP: nothing more can be expected of this invocation."""

    GO_ON = auto()
    ENDED = auto()
    DIED = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Seen:
    """The observed state of a running harness.

    `done`: it ended. `alive`: the guest is not known to be dead. `overdue`: a test, or the harness without one, is past its
    deadline. `unfit`: after a kernel report, the guest can no longer be trusted. `unserved`: a server is lost.
    """

    done: bool = False
    alive: bool = True
    overdue: bool = False
    unfit: bool = False
    unserved: bool = False


def look(seen: Seen) -> Look:
    """What the state means. If the harness has ended, its output counts, whatever else happened at that moment."""
    if seen.done:
        return Look.ENDED
    if not seen.alive:
        return Look.DIED
    return Look.STOP if seen.unfit or seen.overdue or seen.unserved else Look.GO_ON


class Ending(Enum):
    """Why an invocation of the harness is over.

    UNSERVED: a server is lost. LOST: the guest or the connection is lost. HUNG: a deadline passed. SPOILT: after a kernel
    report, the guest can no longer be trusted. ENDED: the harness ended by itself.
    """

    UNSERVED = auto()
    LOST = auto()
    HUNG = auto()
    SPOILT = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Over:
    """A finished invocation. `lost`: the guest or the connection is lost; `ended`: the harness ended; others as in `Seen`."""

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
"""The first rule that holds decides. Without a server, no other symptom means anything."""


def ending(over: Over) -> Ending:
    """Why the invocation is over."""
    return next(end for holds, end in _ENDINGS if holds(over))


class Belief(Enum):
    """The status reported by the harness is TAKEN, or the test runs AGAIN, or is MISSING."""

    TAKEN = auto()
    AGAIN = auto()
    MISSING = auto()


def belief(*, doubted: bool, lost: int) -> Belief:
    """Whether to believe a reported status. `lost`: how often its work was restarted before."""
    if not doubted:
        return Belief.TAKEN
    return Belief.MISSING if lost >= MAX_LOST else Belief.AGAIN


class Unfinished(Enum):
    """What to do with tests that a harness did not report before it ended.

    NONE are left. BLAME: retry the one in flight alone, return the others to their pool. AGAIN: run all on a fresh guest.
    MISSING: they have no result; with MISSING_ALIKE, neither have waiting tests of the same suite and profile.
    """

    NONE = auto()
    BLAME = auto()
    AGAIN = auto()
    MISSING = auto()
    MISSING_ALIKE = auto()


@dataclass(frozen=True, slots=True)
class Rest:
    """The state after a harness has ended.

    `left`: some tests were not reported. `in_flight`: one of them was running. `complains`: the harness said why it cannot
    run them. `lost`: how often this work was restarted.
    """

    left: bool = True
    in_flight: bool = False
    complains: bool = False
    lost: int = 0


_UNFINISHED: tuple[tuple[Callable[[Rest], bool], Unfinished], ...] = (
    (lambda rest: not rest.left, Unfinished.NONE),
    (lambda rest: rest.in_flight and not rest.complains, Unfinished.BLAME),
    # A fresh guest may give another result; a harness that complains is retried only once.
    (lambda rest: rest.lost < (1 if rest.complains else MAX_LOST), Unfinished.AGAIN),
    (lambda rest: rest.complains, Unfinished.MISSING_ALIKE),
    (lambda _: True, Unfinished.MISSING),
)
"""The first rule that holds decides."""


def unfinished(rest: Rest) -> Unfinished:
    """What to do with the tests that are left."""
    return next(what for holds, what in _UNFINISHED if holds(rest))
