"""Progress events of long work, independent of how they are displayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from kdevops.errors import UserError


@dataclass(frozen=True, slots=True)
class Progress:
    """One event: `step` is a stable name ("kernel build"), `fraction` 0..1 or None while unknown, `done` ends the step.

    `eta` is the estimated remaining time in seconds, None while unknown. `detail` is one short line for a person.
    """

    step: str
    detail: str = ""
    fraction: float | None = None
    eta: float | None = None
    done: bool = False


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A Report that shows nothing."""


Confirm = Callable[[Sequence[str]], bool]
"""Asks the user for confirmation, given lines that say what would be done. Raises UserError if nobody can answer."""


def ask_nobody(_: Sequence[str]) -> NoReturn:
    """A Confirm for when there is no user to ask."""
    raise UserError(
        "creating or changing cloud machines needs confirmation, but there is no terminal to ask on",
        hint="confirm on the command line with --yes",
    )
