"""What a regression may look like: pairs of failure rates, on the baseline kernel and on the kernel under test.

Evidence for a regression is an average over these pairs, weighted by how often people meet them: mostly a test that never
failed, and now fails always, half the time, or now and then. The weights are a bet, made before any result is seen. A bad
one costs runs; it cannot cause false alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Alternative:
    """The rates of failure on the `baseline` kernel and on the kernel under test, `now`; both in (0, 1), `now` the higher.

    `log_weight`: natural logarithm of its weight. The weights of all alternatives add up to 1.
    """

    baseline: float
    now: float
    log_weight: float

    @property
    def middle(self) -> float:
        """The rate of both kernels, were they the same and the alternative the average of them."""
        return (self.baseline + self.now) / 2


_NEVER = 0.004
"""In place of 0, so that one failure on the baseline kernel is not a contradiction."""
_SINCE_NEVER = {0.1: 0.07, 0.25: 0.26, 0.5: 0.20, 0.75: 0.07, 0.99: 0.12}
_SINCE_SOMETIMES = tuple(
    (before, now) for before in (0.03, 0.1, 0.25, 0.5) for now in (0.2, 0.4, 0.6, 0.8, 0.99) if now > before + 0.1
)
_REST = 1 - sum(_SINCE_NEVER.values())

ALTERNATIVES = (
    *(Alternative(_NEVER, now, log(weight)) for now, weight in _SINCE_NEVER.items()),
    *(Alternative(before, now, log(_REST / len(_SINCE_SOMETIMES))) for before, now in _SINCE_SOMETIMES),
)
