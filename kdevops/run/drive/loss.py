"""Classifies the loss of a guest during a test: a pure decision from gathered facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kdevops.run.drive.job import MAX_LOST

_TIMES = f"{MAX_LOST + 1} times in a row"


class Judgement(Enum):
    """CRASH and HANG are results. TROUBLE: infrastructure trouble. AGAIN: retry on a fresh guest."""

    CRASH = auto()
    HANG = auto()
    TROUBLE = auto()
    AGAIN = auto()


@dataclass(frozen=True, slots=True)
class Loss:
    """The facts about a guest lost during a test.

    `gone`: why its machine was stopped from outside. `held`: why its machine does not run now. `broken`: what failed on our
    side of the connection. `lost`: seconds during the test in which this process or the machine was held up. `alive`: the
    machine exists and is still in the test's boot; `answers`: it answers over a new, independent connection. `report`: the
    title of the kernel report in the test's console, which is `fatal` to the kernel, or a `stall`: something waited too long,
    which also happens in a machine that was held. `farewell`: the kernel ended on request. `last`: no retries are left.
    """

    gone: str = ""
    held: str = ""
    broken: str = ""
    lost: float = 0.0
    alive: bool = False
    answers: bool = False
    report: str = ""
    fatal: bool = False
    stall: bool = False
    farewell: str = ""
    last: bool = False

    @property
    def believed(self) -> bool:
        """Whether the report is the kernel's own, rather than an effect of the machine being held."""
        return bool(self.report) and not (self.stall and self.lost)


_RULES: tuple[tuple[Callable[[Loss], object], Judgement, Callable[[Loss], str]], ...] = (
    (lambda loss: loss.gone, Judgement.TROUBLE, lambda loss: loss.gone),
    (lambda loss: loss.fatal and loss.believed, Judgement.CRASH, lambda loss: loss.report),
    (lambda loss: loss.alive and loss.held, Judgement.TROUBLE, lambda loss: f"the machine does not run: {loss.held}"),
    (lambda loss: loss.alive and loss.broken, Judgement.TROUBLE, lambda loss: loss.broken),
    (
        lambda loss: loss.alive and not loss.answers and loss.believed,
        Judgement.HANG,
        lambda _: "the guest stopped answering",
    ),
    (lambda loss: not loss.last, Judgement.AGAIN, lambda _: "a single loss may be the host's fault"),
    (
        lambda loss: loss.lost,
        Judgement.TROUBLE,
        lambda loss: f"the guest was lost after {loss.lost:.0f} s in which it or this process was held up",
    ),
    (
        lambda loss: loss.alive and not loss.answers,
        Judgement.HANG,
        lambda _: f"the guest stopped answering {_TIMES}",
    ),
    (lambda loss: loss.alive, Judgement.HANG, lambda _: f"the connection broke {_TIMES} while it ran"),
    (
        lambda loss: loss.farewell,
        Judgement.CRASH,
        lambda loss: f"the guest ended the machine ({loss.farewell}) {_TIMES}",
    ),
    (lambda _: True, Judgement.CRASH, lambda _: f"the machine ended without a message {_TIMES}"),
)
"""The first rule that holds decides."""


def classify_loss(loss: Loss) -> tuple[Judgement, str]:
    """Classify a loss; also returns the reason in one line."""
    return next((judgement, reason(loss)) for holds, judgement, reason in _RULES if holds(loss))
