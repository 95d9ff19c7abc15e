"""Progress of long work as events, so that whoever works knows nothing of whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from kdevops.errors import UserError


@dataclass(frozen=True, slots=True)
class Progress:
    """One piece of news: `step` is a stable name ("kernel build"), `fraction` 0..1 or None while unknown, `done` ends the step.

    `eta` is the estimate of what is left, in seconds, None while unknown. `detail` is one short line for a person.
    """

    step: str
    detail: str = ""
    fraction: float | None = None
    eta: float | None = None
    done: bool = False


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A Report for when nobody watches."""


Confirm = Callable[[Sequence[str]], bool]
"""Asks whoever watches whether to go on, given in lines what would be done. Raises UserError where nobody can answer."""


def ask_nobody(_: Sequence[str]) -> NoReturn:
    """A Confirm for when nobody watches."""
    raise UserError(
        "machines in a cloud are made or changed only when somebody agrees, and there is nobody to ask",
        hint="agree on the command line: --yes",
    )
