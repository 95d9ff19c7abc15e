"""Whether there is anything to destroy, and whether all of it is gone: decisions from facts. What stays costs money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Task(Enum):
    """NOTHING was ever made. OUT_OF_SIGHT: machines were, and the files that Terraform needs are gone. DESTROY what there is."""

    NOTHING = auto()
    OUT_OF_SIGHT = auto()
    DESTROY = auto()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a lab's directory still has.

    `rendered`: files for Terraform. `recorded`: our note that machines were made. `state`: Terraform's own, here; `backend`: it
    may be somewhere else.
    """

    rendered: bool = False
    recorded: bool = False
    state: bool = False
    backend: bool = False


_TASKS: tuple[tuple[Callable[[Kept], bool], Task], ...] = (
    (lambda kept: not kept.rendered and kept.recorded, Task.OUT_OF_SIGHT),
    (lambda kept: not kept.rendered, Task.NOTHING),
    (lambda kept: kept.recorded or kept.state or kept.backend, Task.DESTROY),
    (lambda _: True, Task.NOTHING),
)
"""The first that holds decides."""


def task(kept: Kept) -> Task:
    """What `down` has to do."""
    return next(found for holds, found in _TASKS if holds(kept))


class Rest(Enum):
    """NONE: all is gone. LEFT: Terraform knows of more. OUT_OF_SIGHT: machines run of which it knows nothing."""

    NONE = auto()
    LEFT = auto()
    OUT_OF_SIGHT = auto()


@dataclass(frozen=True, slots=True)
class After:
    """What there is after everything was destroyed.

    `planned`: a plan to destroy finds more to do. `resources`: the state has some. `running`: the cloud says that machines of
    our record run, of which the state knew nothing.
    """

    planned: bool = False
    resources: bool = False
    running: bool = False


def rest(after: After) -> Rest:
    """Whether anything is left."""
    if after.planned or after.resources:
        return Rest.LEFT
    return Rest.OUT_OF_SIGHT if after.running else Rest.NONE
