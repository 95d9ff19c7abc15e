"""Whether there is anything to destroy, and whether all of it is gone. What stays costs money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Task(Enum):
    """NOTHING was ever created. OUT_OF_SIGHT: machines were, but Terraform's files are gone. DESTROY what exists."""

    NOTHING = auto()
    OUT_OF_SIGHT = auto()
    DESTROY = auto()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left in a lab's directory.

    `rendered`: Terraform's configuration. `recorded`: our record of created machines. `state`: Terraform's local state;
    `backend`: the state may be elsewhere.
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
"""The first match decides."""


def task(kept: Kept) -> Task:
    """What `down` must do."""
    return next(found for holds, found in _TASKS if holds(kept))


class Rest(Enum):
    """NONE: all is gone. LEFT: Terraform knows of more. OUT_OF_SIGHT: machines run that Terraform does not know."""

    NONE = auto()
    LEFT = auto()
    OUT_OF_SIGHT = auto()


@dataclass(frozen=True, slots=True)
class After:
    """What exists after everything was destroyed.

    `planned`: a destroy plan finds more to do. `resources`: the state has some. `running`: machines of our record run
    according to the cloud, but were not in the state.
    """

    planned: bool = False
    resources: bool = False
    running: bool = False


def rest(after: After) -> Rest:
    """Whether anything is left."""
    if after.planned or after.resources:
        return Rest.LEFT
    return Rest.OUT_OF_SIGHT if after.running else Rest.NONE
