"""The decision on each test that was selected, from what its runs gave so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, log
from typing import TypeVar

from kdevops.results.decision import beside, several, stored
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.stored import Against

Tally = Pairs | Against
"""What the runs of one selected test gave: pairs from both kernels, or counts against what is stored."""
Key = TypeVar("Key")


class Decision(StrEnum):
    """`regressed`: it goes bad more often than before. `flake`: not by as much as matters. `open`: not decided yet."""

    REGRESSED = "regressed"
    FLAKE = "flake"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Rule:
    """How sure a decision must be.

    `alpha`: the risk of either error; `smallest`: the difference of rates that matters. `probation`: what is stored of a test
    accuses a kernel only if the test passed so often.
    """

    alpha: float = 0.05
    smallest: float = 0.25
    probation: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """What the reruns of one selected test say. `of`: the number of tests to which the rule applies; `guard`: see `decide`.

    `question`: which of its bad results count, "" for all; see `kdevops.results.faces`.
    """

    decision: Decision
    tally: Tally
    of: int = 1
    rule: Rule = Rule()
    guard: bool = False
    question: str = ""

    @property
    def on_both(self) -> bool:
        """Whether it ran again on both kernels: else another baseline, which knows the failure, overrules the decision."""
        return isinstance(self.tally, Pairs)

    @property
    def runs(self) -> int:
        """How often the test ran again on the kernel under test."""
        return int(self.tally.runs if isinstance(self.tally, Pairs) else self.tally.now_runs)

    @property
    def tries(self) -> int:
        """The same with those that gave no result."""
        return self.runs + int(self.tally.lost)

    @property
    def on_probation(self) -> bool:
        """Whether too few passes are stored of the test to accuse anybody, and it does not run on another kernel."""
        return not self.guard and on_probation(self.tally, self.rule)

    @property
    def is_hopeless(self) -> bool:
        """Whether no number of runs decides on the test."""
        return not self.guard and is_hardly_known(self.tally, self.rule)

    @property
    def now(self) -> tuple[int, int]:
        """Bad results and all results of the kernel under test."""
        bad = self.tally.bad_now if isinstance(self.tally, Pairs) else self.tally.now_bad
        return int(bad), self.runs

    @property
    def before(self) -> tuple[int, int]:
        """Bad results and all results of the baseline kernel, or those stored in the baseline."""
        if isinstance(self.tally, Pairs):
            return int(self.tally.bad_baseline), int(self.tally.runs)
        return int(self.tally.baseline_bad), int(self.tally.baseline_runs)


def on_probation(tally: Tally, rule: Rule) -> bool:
    """Whether the counts that are stored of a test have too few passes to accuse a kernel.

    A baseline keeps no order, so "in a row" cannot be asked for; failures among them weaken the evidence anyway.
    """
    return isinstance(tally, Against) and tally.passes < rule.probation


def is_hardly_known(tally: Tally, rule: Rule) -> bool:
    """Whether there are fewer stored results of a test than passes that it takes to accuse: then it is no flake either."""
    return isinstance(tally, Against) and tally.baseline_runs < rule.probation


def log_worse(tally: Tally, rule: Rule) -> float:
    """Natural logarithm of the evidence that the kernel under test goes bad more often; -inf on probation."""
    if on_probation(tally, rule):
        return -inf
    return beside.log_worse(tally) if isinstance(tally, Pairs) else stored.log_worse(tally)


def log_not_worse(tally: Tally, smallest: float) -> float:
    """Natural logarithm of the evidence that it does not by `smallest` or more."""
    if isinstance(tally, Pairs):
        return beside.log_not_worse(tally, smallest)
    return stored.log_not_worse(tally, smallest)


def decide(
    tallies: Mapping[Key, Tally], rule: Rule, *, of: int = 0, guards: Collection[Key] = ()
) -> dict[Key, Decision]:
    """The decision on every selected test. `tallies` has all that were selected in a run, decided or not.

    `guards` are never called regressed. Those of which hardly anything is stored stay open.

    `of`: how many tests could have been selected by the results that are evidence, as with counts that are stored; at least
    the number selected is meant. A decided test stays decided when only others run on.
    """
    found = {key: _decision(tallies[key], -inf, inf, rule) for key in guards}
    tried = {key: tally for key, tally in tallies.items() if key not in found}
    for kind, number in family_sizes(tried.values(), of).items():
        evidence = {key: log_worse(tally, rule) for key, tally in tried.items() if isinstance(tally, kind)}
        regressed = several.how_many(evidence.values(), rule.alpha, of=number)
        needed = several.log_threshold(number, regressed, rule.alpha) if regressed else inf
        found |= {
            key: Decision.OPEN if is_hardly_known(tallies[key], rule) else _decision(tallies[key], each, needed, rule)
            for key, each in evidence.items()
        }
    return {key: found[key] for key in tallies}


def family_sizes(tallies: Iterable[Tally], of: int) -> dict[type[Pairs] | type[Against], int]:
    """The number of tests by which the accepted risk is divided, for those of both kernels, and for those with stored counts.

    Where there are both, each family has half of the risk, which is the same as twice the number.
    """
    number = Counter(type(tally) for tally in tallies)
    if Against in number:
        number[Against] = max(number[Against], of)
    return {kind: size * len(number) for kind, size in number.items()}


def _decision(tally: Tally, evidence: float, needed: float, rule: Rule) -> Decision:
    if evidence >= needed:
        return Decision.REGRESSED
    sure = log(1 / rule.alpha)
    # With less evidence than this, no number of other regressions makes it one later.
    if evidence < sure <= log_not_worse(tally, rule.smallest):
        return Decision.FLAKE
    return Decision.OPEN
