"""The runs that decide on another run's failures: which tests were selected, and what the runs gave so far.

The selection and its rule are in the record of the run that is decided, fixed before the first rerun. Each rerun is a run of
its own in the store, of one kernel; those with the same `turn` make a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from kdevops.results.boot_failure import BootFailure
from kdevops.results.complaints import STRAY_REPORTS, reports_of, signatures
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Decided, Decision, Rule, Tally, decide, family_sizes, log_worse
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import FAR, still_to_go
from kdevops.results.decision.stored import Against
from kdevops.results.faces import ANY, OLD_UNUSUAL, UNUSUAL, Face, Selected
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.rows import signature_of
from kdevops.results.store import JSON, Run, Store
from kdevops.results.verdict import Arm

DECISION = "decision"
"""In the record of a run that is decided: the fields of its rule, "of": number of tests, "tests": {id: see `_written`}."""
SIDE, TURN = "side", "turn"
"""In the record of a rerun: its kernel, and the number of its turn, from 1."""
CUT_SHORT = "cut_short"
"""In the record of a rerun that was killed, or lost its guests: its tests without a result were not tried."""
ALONE = "alone"
"""In the decision: nothing had run on the baseline kernel with which the run is compared, so the stored counts decide."""
IN_A_RERUN = "when a failure ran again"


class Side(StrEnum):
    """The kernel of a rerun."""

    BASELINE = "baseline"
    NOW = "now"


def decision_record(tests: Mapping[TestId, Selected], rule: Rule, *, of: int, alone: bool = False) -> dict[str, JSON]:
    """The part of a run's record for `decided`. `of`: the number of tests of the run; `alone`: see `ALONE`."""
    return {
        DECISION: {
            "alpha": rule.alpha,
            "smallest": rule.smallest,
            "probation": rule.probation,
            "of": of,
            "tests": {str(test): _written(each) for test, each in tests.items()},
            **({ALONE: True} if alone else {}),
        }
    }


def is_begun(run: Run, arm: Arm | None) -> bool:
    """Whether a decision on the run was begun, and still holds: not if its baseline kernel ran only after that."""
    late = arm is not None and arm.ran and arm.run.ended is not None
    return DECISION in run.record and not (late and run.record[DECISION].get(ALONE))


def decided(store: Store, run: Run) -> dict[TestId, Decided]:
    """Each selected test of the run with the decision on it so far; empty if none was ever selected."""
    record: Mapping[str, Any] | None = run.record.get(DECISION)
    if not record:
        return {}
    rule = Rule(record["alpha"], record["smallest"], record.get("probation", 0))
    tests = {TestId(*name.split("/", 2)): _read(said) for name, said in record["tests"].items()}
    tallies = _tallies(store, store.deciding(run.id), tests)
    # Stored counts are evidence that tests were selected by: each face that any test might have had is one of the family.
    guards = {(test, name) for test, each in tests.items() for name, face in each.faces.items() if face.guard}
    accusing = [sum(not face.guard for face in each.faces.values()) for each in tests.values()]
    all_faces = record["of"] * max(accusing, default=1)
    found = decide(tallies, rule, of=all_faces, guards=guards)
    of = family_sizes((tally for key, tally in tallies.items() if key not in guards), all_faces)
    each = {
        key: Decided(found[key], tally, of.get(type(tally), 1), rule, guard=key in guards, question=key[1])
        for key, tally in tallies.items()
    }
    return {test: _together([each[test, name] for name in chosen.faces]) for test, chosen in tests.items()}


def _together(faces: Sequence[Decided]) -> Decided:
    """The decision on a test: it regressed if it did in any respect, and is a flake only in all.

    Of several that are open: one that is on its way to regress, the soonest; else that which takes longest to be excluded.
    """
    if first := next((each for each in faces if each.decision is Decision.REGRESSED), None):
        return first
    left = [each for each in faces if each.decision is Decision.OPEN]
    if not left:
        return faces[0]
    to_go = {id(each): still_to_go(each) for each in left}
    worse = [
        each for each in left if not each.guard and log_worse(each.tally, each.rule) > 0 and to_go[id(each)] is not None
    ]
    if worse:
        return min(worse, key=lambda each: to_go[id(each)] or 0)
    return max(left, key=lambda each: FAR if (runs := to_go[id(each)]) is None else runs)


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


def boot_failure_of(store: Store, run: Run) -> BootFailure | None:
    """How the kernel under test failed to boot in a rerun, None if it always did."""
    if DECISION not in run.record:
        return None
    found = (BootFailure.of(each) for each in store.deciding(run.id) if each.record[SIDE] == Side.NOW)
    return next(filter(None, found), None)


def records_of_reruns(store: Store, run: Run) -> list[Mapping[str, Any]]:
    """The records of all reruns on the kernel under test."""
    if DECISION not in run.record:
        return []
    return [each.record for each in store.deciding(run.id) if each.record[SIDE] == Side.NOW]


def _written(each: Selected) -> dict[str, JSON]:
    return {"beside": each.beside, "faces": {name: _face_written(face) for name, face in each.faces.items()}}


def _face_written(face: Face) -> dict[str, JSON]:
    return {
        "bad": int(face.before.baseline_bad),
        "runs": int(face.before.baseline_runs),
        "ways": sorted(face.ways),
        "worse": sorted(face.worse),
        "least": face.least.value if face.least else None,
        "known": sorted(face.known),
        "untold": sorted(face.untold),
        "guard": face.guard,
    }


def _read(said: Mapping[str, Any]) -> Selected:
    if "faces" in said:
        return Selected({name: _face_read(face) for name, face in said["faces"].items()}, said["beside"])
    faces = {OLD_UNUSUAL if said["least"] else ANY: _face_read(said)}  # as written before a test had several faces
    if said["least"] and said.get("any_bad") is not None:
        faces[ANY] = Face(Against(said["runs"], said["any_bad"]))
    return Selected(faces, said["beside"])


def _face_read(said: Mapping[str, Any]) -> Face:
    return Face(
        Against(said["runs"], said["bad"]),
        frozenset(said.get("ways", ())),
        frozenset(map(Status.read, said.get("worse", ()))),
        Status.read(said["least"]) if said["least"] else None,
        frozenset(said["known"]),
        frozenset(map(Status.read, said["untold"])),
        guard=said.get("guard", False),
    )


def in_words(each: Decided) -> str:
    """The decision with what it rests on: "flake: failed again in 0 of 14 runs (0%-22%), with the baseline kernel in 0 of …"."""
    beside = "with the baseline kernel" if isinstance(each.tally, Pairs) else "in the baseline"
    words = (
        f"{each.decision}: failed again {_how(each.question)}in {_rate(*each.now)}, {beside} in {_rate(*each.before)}"
    )
    if each.tally.lost:
        words += f"; {each.tally.lost:g} gave no result"
    if each.decision is not Decision.OPEN:
        return words
    if each.on_probation:
        words += f"; on probation: it takes {each.rule.probation} passes in the baseline to accuse a kernel"
    to_go = still_to_go(each)
    kernels = " on each kernel" if isinstance(each.tally, Pairs) else ""
    return f"{words}; " + (f"about {to_go} more runs{kernels}" if to_go else "more runs are unlikely to tell")


def _how(question: str) -> str:
    """In what way the test failed of which the counts are told."""
    if question in {UNUSUAL, OLD_UNUSUAL}:
        return "in an unusual way "
    ways = {"new ": "in a new way ", "more ": "in a rare way ", "by ": "in a usual way ", "a ": f"with {question} "}
    return next((words for start, words in ways.items() if question.startswith(start)), "")


def _rate(bad: int, runs: int) -> str:
    low, high = wilson(bad, runs)
    return f"{bad} of {runs} runs ({low:.0%}-{high:.0%})" if runs else "0 of 0 runs"


def spent(store: Store, run: Run) -> int:
    """How many single results the reruns of a run gave."""
    return store.results_deciding(run.id)


Key = tuple[TestId, str]
"""A test, and the name of one of its faces."""


def _tallies(store: Store, runs: Iterable[Run], tests: Mapping[TestId, Selected]) -> dict[Key, Tally]:
    """A pair counts if the baseline kernel gave a result, and the other one was asked for it.

    A test of a rerun that was cut short was not asked, unless the kernel did not boot for it.
    """
    turns: dict[int, dict[Side, Mapping[TestId, Outcome]]] = {}
    not_booted: list[TestId] = []
    for each in runs:
        side, outcomes = Side(each.record[SIDE]), store.outcomes(each.id, brief=True)
        if each.record.get(CUT_SHORT):
            if side is Side.NOW and BootFailure.of(each):
                not_booted += [test for test, outcome in outcomes.items() if outcome.status is Status.MISSING]
            outcomes = {test: each for test, each in outcomes.items() if each.status is not Status.MISSING}
        turns.setdefault(each.record[TURN], {})[side] = outcomes
    tallies = {(test, name): tally for test, chosen in tests.items() for name, tally in chosen.tallies.items()}
    for _, sides in sorted(turns.items()):
        for test, chosen in tests.items():
            before, now = (sides.get(side, {}).get(test) for side in (Side.BASELINE, Side.NOW))
            for name, face in chosen.faces.items():
                tallies[test, name] = _with(tallies[test, name], test, chosen, face, before, now)
    for test in not_booted:
        for name in tests[test].faces if test in tests else ():
            tallies[test, name] = tallies[test, name].and_lost()
    return tallies


def _with(tally: Tally, test: TestId, each: Selected, face: Face, before: Outcome | None, now: Outcome | None) -> Tally:
    if now is None or (each.beside and (before is None or not before.status.ran)):
        return tally
    if not now.status.ran:
        return tally.and_lost()
    bad = face.counts(test, now)
    if isinstance(tally, Against):
        return tally.and_one(now=bad)
    return tally.and_one(baseline=before is not None and face.counts(test, before), now=bad)


def still_open(tests: Mapping[TestId, Decided]) -> list[TestId]:
    """The tests that are not decided."""
    return [test for test, each in tests.items() if each.decision is Decision.OPEN]
