"""What the loss of a guest says of the test that ran in it: a decision from facts that others gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kdevops.run.drive.job import MAX_LOST

_TIMES = f"{MAX_LOST + 1} times in a row"


class Judgement(Enum):
    """CRASH and HANG are results. TROUBLE is nobody's but the infrastructure's; AGAIN: a fresh guest will tell."""

    CRASH = auto()
    HANG = auto()
    TROUBLE = auto()
    AGAIN = auto()


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known of a guest that was lost under a test.

    `gone`: why its machine was ended from outside. `held`: why its machine does not run now. `broken`: what broke on our side
    of the way to it. `lost`: seconds during the test in which this process, or the machine, could not work. `alive`: the
    machine is there, in the boot of the test; `answers`: over a new connection that shares nothing with the old one.
    `report` is the title of the kernel's own trouble in the console of the test, with which it is `fatal`, or which is a
    `stall`: something waited too long, as it seems to do in a machine that was held. `farewell`: the kernel ended on request.
    `last`: it was lost under this test as often as may be before.
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
        """Whether the kernel's report is the kernel's, and no mere sign of a machine that was held."""
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
    (lambda loss: not loss.last, Judgement.AGAIN, lambda _: "once may be the host's doing"),
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
        lambda loss: f"the machine was ended from inside ({loss.farewell}) {_TIMES}",
    ),
    (lambda _: True, Judgement.CRASH, lambda _: f"the machine ended without a word {_TIMES}"),
)
"""The first rule that holds decides."""


def classify_loss(loss: Loss) -> tuple[Judgement, str]:
    """What to make of a loss, and why in a line."""
    return next((judgement, reason(loss)) for holds, judgement, reason in _RULES if holds(loss))
