"""What is decided of a test whose failure nobody knows: each face is one question, "does it go bad like this more often now?".

The failures of one test may have several faces: it may hang, which it never did, while it fails as often as before. A test
regressed if it did in any respect, and is a flake only in all. So that nothing hides behind what was known anyway:

- `any`: all bad results count;
- `new fail`, `new hang`, `new crash`: results in one of the new ways in which the test went bad when it was selected, of this
  kind; and those of a worse kind, if the test never had one;
- `more fail`, …: results in known ways that came too often when it was selected;
- `unusual`: results in any way that is not a usual one of the test, or of which nobody knows;
- guards, which accuse nobody, but must be excluded before the test is a flake: `a hang or worse`, `a crash or worse`, and
  each usual way by itself.

What is unusual is so because the stored results have little of it, so these are no evidence of how often that happened:
unless the baseline kernel runs, too, it is a guard. Yet a test that goes on to fail in other ways than before is no flake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kdevops.results.baselines.entry import Entry
from kdevops.results.decision.beside import Pairs
from kdevops.results.decision.decide import Tally
from kdevops.results.decision.stored import Against
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.symptoms import kind_of, symptoms
from kdevops.results.verdict import Judged, RunVerdict

ANY = "any"
UNUSUAL = "unusual"
OLD_UNUSUAL = "unknown"
"""The name in records of older versions, for ways that are not known at all."""
_USUAL = 0.25
"""The share of all results from which on a way to go bad is a usual one."""
_GUARDED = tuple(status for status in Status if status.took_the_guest)


@dataclass(frozen=True, slots=True)
class Face:
    """Which bad results count, and how many of those that are stored do (`before`).

    `ways` and `worse`: results in one of these ways, or of one of these kinds. `least`: results of this kind or a worse one, in a
    way that is not `known`, unless nothing says in what way the test had such a failure before (`untold`). Without any of
    these, all bad results count. A `guard` accuses nobody.
    """

    before: Against
    ways: frozenset[str] = frozenset()
    worse: frozenset[Status] = frozenset()
    least: Status | None = None
    known: frozenset[str] = frozenset()
    untold: frozenset[Status] = frozenset()
    guard: bool = False

    def counts(self, test: TestId, outcome: Outcome) -> bool:
        """Whether this result of the test is one of those."""
        if not outcome.status.is_bad:
            return False
        found = symptoms(test, outcome)
        if self.ways or self.worse:
            kinds = set(map(kind_of, found)) or {outcome.status}
            return not self.ways.isdisjoint(found) or not self.worse.isdisjoint(kinds)
        if self.least is None:
            return True
        kinds = {kind_of(each) for each in found - self.known} if found else {outcome.status}
        return any(kind not in self.untold and kind.ending.severity >= self.least.ending.severity for kind in kinds)


@dataclass(frozen=True, slots=True)
class Selected:
    """A failure to be decided, by its faces; `beside`: it runs on the baseline kernel, too."""

    faces: Mapping[str, Face] = field(default_factory=dict)
    beside: bool = False

    @property
    def tallies(self) -> dict[str, Tally]:
        """What is known of each face before the first rerun."""
        return {name: Pairs() if self.beside else face.before for name, face in self.faces.items()}


def selected(verdict: RunVerdict, *, beside: bool = True) -> dict[TestId, Selected]:
    """The failures that nobody knows: in a new way, or more often than what is known of the test explains.

    `beside`: those that the baseline kernel has are to run on it, too.
    """
    there = verdict.arm.tests if verdict.arm and beside else frozenset()
    return {each.test.plain: _selected(each, beside=each.test.plain in there) for each in verdict.undecided}


def _selected(each: Judged, *, beside: bool) -> Selected:
    known = (each.before.evidence if each.before else Counts()) + (each.arm or Counts())
    faces = {ANY: Face(Against(known.ran, known.bad))}
    new, more = _by_kind(each.unknown), _by_kind(each.ways.more_often)
    for kind, ways in new.items():
        faces[f"new {kind}"] = Face(Against(known.ran, 0), ways, _worse(kind, known))
    for kind, ways in more.items():
        bad = min(sum(_seen(each.before, way) for way in ways) + (each.arm[kind] if each.arm else 0), known[kind])
        faces[f"more {kind}"] = Face(Against(known.ran, bad), ways)
    if not new and not more:  # nobody can say in what way, but it was never that bad
        for kind in Status:
            if kind.took_the_guest and each.now[kind] and not known[kind]:
                faces[f"new {kind}"] = Face(Against(known.ran, 0), worse=frozenset({kind}) | _worse(kind, known))
    return Selected(faces | (_beyond(each, known, beside=beside) if known.bad else {}), beside)


def _beyond(each: Judged, known: Counts, *, beside: bool) -> dict[str, Face]:
    """The faces of a test that went bad before which are about more than the ways for which it was selected."""
    there = each.arm or Counts()
    ways = each.ways.known or tuple(each.before.symptoms if each.before else ())
    seen = {way: min(_seen(each.before, way) + there[kind_of(way)], known[kind_of(way)]) for way in ways}
    usual = frozenset(way for way, times in seen.items() if times >= _USUAL * known.ran)
    rare = min(sum(times for way, times in seen.items() if way not in usual), known.bad)
    untold = each.ways.untold
    faces = {UNUSUAL: Face(Against(known.ran, rare), least=Status.FAIL, known=usual, untold=untold, guard=not beside)}
    for kind in _GUARDED:
        kinds = frozenset(s for s in Status if s.is_bad and s.ending.severity >= kind.ending.severity)
        bad = sum(known[status] for status in kinds)
        faces[f"a {kind} or worse"] = Face(Against(known.ran, bad), worse=kinds, guard=True)
    for way in sorted(usual):
        if seen[way] + _USUAL * known.ran <= known.bad:  # else it is no more than `any`
            faces[f"by {way}"] = Face(Against(known.ran, seen[way]), ways=frozenset({way}), guard=True)
    return faces


def _by_kind(ways: Iterable[str]) -> dict[Status, frozenset[str]]:
    found: dict[Status, frozenset[str]] = {}
    for way in ways:
        found[kind_of(way)] = found.get(kind_of(way), frozenset()) | {way}
    return found


def _worse(kind: Status, known: Counts) -> frozenset[Status]:
    """The kinds that are worse than this one, and that the test never had."""
    bad = (status for status in Status if status.is_bad and not known[status])
    return frozenset(status for status in bad if status.ending.severity > kind.ending.severity)


def _seen(before: Entry | None, way: str) -> int:
    return before.most_seen(way) if before else 0
