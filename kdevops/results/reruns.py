"""The runs that decide on another run's failures: which tests were selected, and what the runs gave so far.

The selection and its rule are in the record of the run that is decided, fixed before the first rerun. Each rerun is a run of
its own in the store, of one kernel; those with the same `turn` make a pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import runs_to_go
from kdevops.results.decision.selection import is_known
from kdevops.results.decision.stored import Against
from kdevops.results.model import Counts, Outcome, TestId
from kdevops.results.store import JSON, Run, Store
from kdevops.results.symptoms import symptoms
from kdevops.results.verdict import Judged, RunVerdict

DECISION = "decision"
"""In the record of a run that is decided: `{"alpha", "smallest", "beside": bool, "tests": {id: {"bad", "runs", "known"}}}`.

`known` are the symptoms that the test had before: a rerun that only has these is as it was, and not a bad one."""
SIDE, TURN = "side", "turn"
"""In the record of a rerun: its kernel, and the number of its turn, from 1."""


class Side(StrEnum):
    """The kernel of a rerun."""

    BASELINE = "baseline"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Selected:
    """A failure to be decided. `before`: what the baseline has of the test; `known`: symptoms that do not count as bad.

    No symptom is known where the test fails in no new way, but maybe more often.
    """

    before: Against
    known: frozenset[str] = frozenset()


def selected(verdict: RunVerdict) -> dict[TestId, Selected]:
    """The failures that nobody knows: in a new way, or more often than what is known of the test explains."""
    found: dict[TestId, Selected] = {}
    for each in verdict.tests:
        if each.now.bad and each.test.plain not in found and not _excused(each):
            known = (each.before.counts if each.before else Counts()) + (each.arm or Counts())
            if each.unknown:
                found[each.test.plain] = Selected(Against(known.ran, 0), frozenset(each.ways.known))
            elif not is_known(known.bad, known.ran, each.now.bad, each.now.ran):
                found[each.test.plain] = Selected(Against(known.ran, known.bad))
    return found


def decision_record(tests: Mapping[TestId, Selected], rule: Rule, *, beside: bool) -> dict[str, JSON]:
    """The part of a run's record for `decided`. `beside`: both kernels run again."""
    return {
        DECISION: {
            "alpha": rule.alpha,
            "smallest": rule.smallest,
            "beside": beside,
            "tests": {
                str(test): {
                    "bad": int(each.before.baseline_bad),
                    "runs": int(each.before.baseline_runs),
                    "known": sorted(each.known),
                }
                for test, each in tests.items()
            },
        }
    }


def decided(store: Store, run: Run) -> dict[TestId, Decided]:
    """Each selected test of the run with the decision on it so far; empty if none was ever selected."""
    record: Mapping[str, Any] | None = run.record.get(DECISION)
    if not record:
        return {}
    rule = Rule(record["alpha"], record["smallest"])
    tests = {TestId(*name.split("/", 2)): said for name, said in record["tests"].items()}
    start: dict[TestId, Tally] = {
        test: Pairs() if record["beside"] else Against(said["runs"], said["bad"]) for test, said in tests.items()
    }
    known = {test: frozenset(said["known"]) for test, said in tests.items()}
    tallies = _tallies(store, store.deciding(run.id), start, known)
    return {
        test: Decided(decision, tallies[test], _to_go(decision, tallies[test], len(start), rule))
        for test, decision in decide(tallies, rule).items()
    }


def in_words(each: Decided) -> str:
    """The decision with what it rests on: "regressed: bad in 3 of 3 runs again (44-100 %), 0 of 3 with the baseline kernel …"."""
    beside = "with the baseline kernel" if isinstance(each.tally, Pairs) else "in the baseline"
    words = f"{each.decision}: bad in {_rate(*each.now)} again, in {_rate(*each.before)} {beside}"
    if each.decision is not Decision.OPEN:
        return words
    return f"{words}; " + (f"about {each.to_go} runs more" if each.to_go else "more runs are unlikely to tell")


def _rate(bad: int, runs: int) -> str:
    low, high = wilson(bad, runs)
    return f"{bad} of {runs} runs ({low:.0%}-{high:.0%})" if runs else "0 of 0 runs"


def spent(store: Store, run: Run) -> int:
    """How many single results the reruns of a run gave."""
    return sum(len(store.outcomes(each.id)) for each in store.deciding(run.id))


def _to_go(decision: Decision, tally: Tally, number: int, rule: Rule) -> int | None:
    return runs_to_go(tally, number, rule) if decision is Decision.OPEN else None


def _tallies(
    store: Store, runs: Iterable[Run], start: Mapping[TestId, Tally], known: Mapping[TestId, frozenset[str]]
) -> dict[TestId, Tally]:
    """Only pairs of which both came to run count; a run that is not over yet has what it has."""
    turns: dict[int, dict[Side, Mapping[TestId, bool]]] = {}
    for each in runs:
        turns.setdefault(each.record[TURN], {})[Side(each.record[SIDE])] = {
            test: _is_bad(test, outcome, known.get(test, frozenset()))
            for test, outcome in store.outcomes(each.id).items()
            if outcome.status.ran
        }
    tallies = dict(start)
    for _, sides in sorted(turns.items()):
        for test, tally in tallies.items():
            tallies[test] = _with(tally, sides.get(Side.BASELINE, {}).get(test), sides.get(Side.NOW, {}).get(test))
    return tallies


def _is_bad(test: TestId, outcome: Outcome, known: frozenset[str]) -> bool:
    found = symptoms(test, outcome)
    return outcome.status.is_bad and (not found or not found <= known)


def _with(tally: Tally, baseline: bool | None, now: bool | None) -> Tally:
    if now is None:
        return tally
    if isinstance(tally, Against):
        return tally.and_one(now=now)
    return tally if baseline is None else tally.and_one(baseline=baseline, now=now)


def _excused(judged: Judged) -> bool:
    """An expunge list says of other people's kernels that the test fails: no number of runs contradicts it."""
    return judged.before is not None and judged.before.expunged


def still_open(tests: Mapping[TestId, Decided]) -> Collection[TestId]:
    """The tests that are not decided."""
    return [test for test, each in tests.items() if each.decision is Decision.OPEN]
