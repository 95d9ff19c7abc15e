"""The runs that decide on another run's failures: which tests were selected, and what the runs gave so far.

The selection and its rule are in the record of the run that is decided, fixed before the first rerun. Each rerun is a run of
its own in the store, of one kernel; those with the same `turn` make a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kdevops.results.compare import Verdict, judge_beside
from kdevops.results.complaints import STRAY_REPORTS, reports_of, signatures
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide, family_sizes
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.decision.stored import Against
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.rows import signature_of
from kdevops.results.store import JSON, Run, Store
from kdevops.results.symptoms import kind_of, symptoms
from kdevops.results.verdict import Judged, RunVerdict

DECISION = "decision"
"""In the record of a run that is decided: the fields of its rule, "of": number of tests, "tests": {id: see `Selected`}."""
SIDE, TURN = "side", "turn"
"""In the record of a rerun: its kernel, and the number of its turn, from 1."""
CUT_SHORT = "cut_short"
"""In the record of a rerun that was killed, or lost its guests: its tests without a result were not tried."""
IN_A_RERUN = "when a failure ran again"


class Side(StrEnum):
    """The kernel of a rerun."""

    BASELINE = "baseline"
    NOW = "now"


class Face(StrEnum):
    """What is counted of a test: failures as that for which it was SELECTED, or ANY."""

    SELECTED = "selected"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Selected:
    """A failure to be decided. `before`: what the baseline has of the test; `beside`: it runs on the baseline kernel too.

    A test that fails in no new way but maybe more often has no `least`: any failure counts. With one, what counts as bad when
    it runs again is a failure of that kind, or of a worse one, in a way that is not `known`, unless nothing says in what way
    the test had such a failure before (`untold`); `before` is of those. As it may also fail more often in a milder way now,
    all its failures are counted beside that, against `any_before`.
    """

    before: Against
    beside: bool = False
    least: Status | None = None
    known: frozenset[str] = frozenset()
    untold: frozenset[Status] = frozenset()
    any_before: Against | None = None

    @property
    def faces(self) -> dict[Face, Tally]:
        """What is decided of it, before the first rerun."""
        found: dict[Face, Tally] = {Face.SELECTED: Pairs() if self.beside else self.before}
        if self.least is not None and self.any_before is not None:
            found[Face.ANY] = Pairs() if self.beside else self.any_before
        return found

    def counts(self, face: Face, test: TestId, outcome: Outcome) -> bool:
        """Whether this result of the test is bad, as the failure was for which it was selected, or in any way."""
        if not outcome.status.is_bad:
            return False
        if self.least is None or face is Face.ANY:
            return True
        found = symptoms(test, outcome)
        kinds = {kind_of(each) for each in found - self.known} if found else {outcome.status}
        return any(kind not in self.untold and kind.ending.severity >= self.least.ending.severity for kind in kinds)


def selected(verdict: RunVerdict, *, beside: bool = True) -> dict[TestId, Selected]:
    """The failures that nobody knows: in a new way, or more often than what is known of the test explains.

    `beside`: those that the baseline kernel has are to run on it, too.
    """
    there = verdict.arm.tests if verdict.arm and beside else frozenset()
    return {each.test.plain: _selected(each, each.test.plain in there) for each in verdict.undecided}


def _selected(each: Judged, beside: bool) -> Selected:
    known = (each.before.counts if each.before else Counts()) + (each.arm or Counts())
    before, least = Against(known.ran, known.bad), _least(each, known)
    if least is None:
        return Selected(before, beside)
    bad = 0 if each.unknown else each.ways.seen
    others = frozenset(each.ways.known) - frozenset(each.ways.more_often)
    return Selected(Against(known.ran, bad), beside, least, others, each.ways.untold, before)


def _least(each: Judged, known: Counts) -> Status | None:
    """The kind of its failure, if only failures of that way count; None if all do, as where nothing bad was known."""
    if not known.bad:
        return None
    by_counts = judge_beside(each.before, each.arm, each.now)
    kinds = {kind_of(symptom) for symptom in each.unknown}
    if by_counts is not Verdict.INCONCLUSIVE:
        kinds |= {kind_of(symptom) for symptom in each.ways.more_often}
    if not kinds and known.bad == known[Status.FAIL]:  # nobody can say in what way, but it was never that bad
        kinds = {status for status in Status if status.took_the_guest and each.now[status]}
    return min(kinds, key=lambda kind: kind.ending.severity, default=None)


def decision_record(tests: Mapping[TestId, Selected], rule: Rule, *, of: int) -> dict[str, JSON]:
    """The part of a run's record for `decided`. `of`: the number of tests of the run."""
    return {
        DECISION: {
            "alpha": rule.alpha,
            "smallest": rule.smallest,
            "probation": rule.probation,
            "of": of,
            "tests": {str(test): _written(each) for test, each in tests.items()},
        }
    }


def decided(store: Store, run: Run) -> dict[TestId, Decided]:
    """Each selected test of the run with the decision on it so far; empty if none was ever selected."""
    record: Mapping[str, Any] | None = run.record.get(DECISION)
    if not record:
        return {}
    rule = Rule(record["alpha"], record["smallest"], record.get("probation", 0))
    tests = {TestId(*name.split("/", 2)): _read(said) for name, said in record["tests"].items()}
    tallies = _tallies(store, store.deciding(run.id), tests)
    found, of = decide(tallies, rule, of=record["of"]), family_sizes(tallies.values(), record["of"])
    each = {key: Decided(found[key], tally, of[type(tally)], rule) for key, tally in tallies.items()}
    return {test: _together([each[test, face] for face in chosen.faces]) for test, chosen in tests.items()}


def _together(faces: Sequence[Decided]) -> Decided:
    """The decision on a test: it regressed if it did in any respect, and is a flake only in all."""
    order = (Decision.REGRESSED, Decision.OPEN, Decision.FLAKE)
    return min(faces, key=lambda each: order.index(each.decision))


def strays_of(store: Store, run: Run) -> tuple[list[Mapping[str, Any]], frozenset[str]]:
    """Kernel reports in reruns on the kernel under test, as in a run's record, and the signatures of those on the baseline's."""
    now: list[Mapping[str, Any]] = []
    beside: frozenset[str] = frozenset()
    if DECISION not in run.record:
        return now, beside
    for each in store.deciding(run.id):
        outcomes, strays = store.outcomes(each.id, brief=True), each.record.get(STRAY_REPORTS, ())
        if each.record[SIDE] == Side.BASELINE:
            beside |= signatures(outcomes, strays)
        else:
            now += strays
            now += [
                {
                    **asdict(report),
                    "signature": signature_of(report),
                    "guest": outcome.guest,
                    "when": f"{IN_A_RERUN}: {test}",
                    "test": str(test),
                }
                for test, outcome in outcomes.items()
                for report in reports_of(outcome)
                if report.gates
            ]
    once = {(each["signature"], each.get("test")): each for each in reversed(now)}
    return list(once.values()), beside


def records_of_reruns(store: Store, run: Run) -> list[Mapping[str, Any]]:
    """The records of all reruns on the kernel under test."""
    if DECISION not in run.record:
        return []
    return [each.record for each in store.deciding(run.id) if each.record[SIDE] == Side.NOW]


def _written(each: Selected) -> dict[str, JSON]:
    return {
        "bad": int(each.before.baseline_bad),
        "any_bad": int(each.any_before.baseline_bad) if each.any_before else None,
        "runs": int(each.before.baseline_runs),
        "beside": each.beside,
        "least": each.least.value if each.least else None,
        "known": sorted(each.known),
        "untold": sorted(status.value for status in each.untold),
    }


def _read(said: Mapping[str, Any]) -> Selected:
    return Selected(
        Against(said["runs"], said["bad"]),
        said["beside"],
        Status.read(said["least"]) if said["least"] else None,
        frozenset(said["known"]),
        frozenset(map(Status.read, said["untold"])),
        Against(said["runs"], said["any_bad"]) if said.get("any_bad") is not None else None,
    )


def in_words(each: Decided) -> str:
    """The decision with what it rests on: "flake: failed again in 0 of 14 runs (0%-22%), with the baseline kernel in 0 of …"."""
    beside = "with the baseline kernel" if isinstance(each.tally, Pairs) else "in the baseline"
    words = f"{each.decision}: failed again in {_rate(*each.now)}, {beside} in {_rate(*each.before)}"
    if each.tally.lost:
        words += f"; {each.tally.lost:g} gave no result"
    if each.decision is not Decision.OPEN:
        return words
    if each.on_probation:
        words += f"; on probation: it takes {each.rule.probation} passes in the baseline to accuse a kernel"
    to_go = still_to_go(each)
    kernels = " on each kernel" if isinstance(each.tally, Pairs) else ""
    return f"{words}; " + (f"about {to_go} more runs{kernels}" if to_go else "more runs are unlikely to tell")


def _rate(bad: int, runs: int) -> str:
    low, high = wilson(bad, runs)
    return f"{bad} of {runs} runs ({low:.0%}-{high:.0%})" if runs else "0 of 0 runs"


def spent(store: Store, run: Run) -> int:
    """How many single results the reruns of a run gave."""
    return store.results_deciding(run.id)


Key = tuple[TestId, Face]


def _tallies(store: Store, runs: Iterable[Run], tests: Mapping[TestId, Selected]) -> dict[Key, Tally]:
    """A pair counts if the baseline kernel gave a result, and the other one was asked for it."""
    turns: dict[int, dict[Side, Mapping[TestId, Outcome]]] = {}
    for each in runs:
        turns.setdefault(each.record[TURN], {})[Side(each.record[SIDE])] = {
            test: outcome
            for test, outcome in store.outcomes(each.id, brief=True).items()
            if not (each.record.get(CUT_SHORT) and outcome.status is Status.MISSING)
        }
    tallies = {(test, face): tally for test, chosen in tests.items() for face, tally in chosen.faces.items()}
    for _, sides in sorted(turns.items()):
        for test, chosen in tests.items():
            before, now = (sides.get(side, {}).get(test) for side in (Side.BASELINE, Side.NOW))
            for face in chosen.faces:
                tallies[test, face] = _with(tallies[test, face], test, chosen, face, before, now)
    return tallies


def _with(tally: Tally, test: TestId, each: Selected, face: Face, before: Outcome | None, now: Outcome | None) -> Tally:
    if now is None or (each.beside and (before is None or not before.status.ran)):
        return tally
    if not now.status.ran:
        return tally.and_lost()
    bad = each.counts(face, test, now)
    if isinstance(tally, Against):
        return tally.and_one(now=bad)
    return tally.and_one(baseline=before is not None and each.counts(face, test, before), now=bad)


def still_open(tests: Mapping[TestId, Decided]) -> list[TestId]:
    """The tests that are not decided."""
    return [test for test, each in tests.items() if each.decision is Decision.OPEN]
