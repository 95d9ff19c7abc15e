"""What became of one test, compared with what was known before.

The comparison of one test's counts is `judge`, a function of two count tables. A failure that nobody knows accuses nobody:
it is `inconclusive`, and so selected for a decision by reruns (see `kdevops.results.reruns`), which alone makes it
`regressed` or a `flake`. Whether a known failure is the same as before is `judge_ways`.

    known before ↓   now →  pass    bad              skip         missing
    nothing                 new     inconclusive     new          missing
    only skips              new     inconclusive     ok           missing
    passes                  ok      inconclusive     skipped-now  missing
    passes and bad          ok      known-flake *    skipped-now  missing
    bad                     fixed   known-failure    skipped-now  missing
    expunged                fixed   known-failure    ok           missing
    expunged, flaky         ok      known-failure    ok           missing

"bad" is a fail, a crash or a hang; it is bad now when that happened at least once, else a pass when it passed at least
once, else a skip, else missing. The cells that can be argued about:

- Bad in a way that is worse than anything seen before (a crash or a hang where there were only fails) is `inconclusive`
  for flaky and failing tests too: that a test failed is no reason to expect that it takes the kernel down.
- Bad in another way than before (another subtest, another crash title, see `kdevops.results.ways`) is `inconclusive`, where
  the counts alone say `known-failure` or `known-flake`: it is another failure, of which nothing is known.
- (*) A test that passed and failed before and fails now is a `known-flake` if that is in line with the known rate, else
  `inconclusive`. One old flake does not excuse seven failures in seven, and the more is known of a test, the less is
  excused: see `kdevops.results.decision.selection`.
- A skip where skips are known is `ok`. Where they are not it is `skipped-now`: not a regression, because the kernel did
  nothing wrong, but coverage was lost, so the run is not green unless the lab allows it (see `exit_code`).
- A test that was run several times has one table of counts and so one verdict, which each of its repeats has, whatever
  its own status; only one without a result is `missing` all the same.
- An expunge list, where the test never ran here, says that it goes wrong, and maybe how often, but neither how nor
  where: no way of going wrong is new, and a skip loses nothing. What is flaky (F:1/11) is not `fixed` by a pass.
- Where it ran here, too, both count: 30 passes of ours and F:1/11 are 2.4 % of 41 runs. Other people's rate is less sure than
  ours, so a failure is in line if a test that fails as often as all these results allow at most may do that: once in one run,
  but not five times in five, nor once after 300 passes. A list without a rate says that the test always fails, which our
  passes refute: it excuses nothing then.

Where the same test was run on another kernel beside this one, the baseline arm, that counts for more than what is stored:
see `judge_beside`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from kdevops.results.baselines.entry import Entry
from kdevops.results.decision.selection import is_chance, is_known
from kdevops.results.model import Counts, Status
from kdevops.results.ways import Ways


class Verdict(StrEnum):
    """The result of a test compared with the baseline."""

    OK = "ok"
    KNOWN_FAILURE = "known-failure"
    REGRESSED = "regressed"
    FLAKE = "flake"
    INCONCLUSIVE = "inconclusive"
    KNOWN_FLAKE = "known-flake"
    FIXED = "fixed"
    NEW = "new"
    SKIPPED_NOW = "skipped-now"
    MISSING = "missing"


def judge(before: Counts | None, now: Counts, *, expunged: bool = False, listed_flaky: bool = False) -> Verdict:
    """Compare a test's history with its result, by the table at the top of this module.

    `expunged`: `before` is only from an expunge list; `listed_flaky`: such a list says that the test is flaky.
    """
    if expunged and now.bad:
        return Verdict.KNOWN_FAILURE
    if now.bad:
        return _judge_bad(before, now, listed_flaky=listed_flaky)
    known = before if before is not None else Counts()
    if now[Status.PASS]:
        if known[Status.PASS]:
            return Verdict.OK
        return Verdict.FIXED if known.bad else Verdict.NEW
    if now[Status.SKIP]:
        if known[Status.SKIP] or expunged:
            return Verdict.OK
        return Verdict.SKIPPED_NOW if known[Status.PASS] or known.bad else Verdict.NEW
    return Verdict.MISSING


class Measure(Enum):
    """What a test's ends are compared with: what is STORED, what it did on the baseline kernel (ARM), or BOTH together."""

    STORED = auto()
    ARM = auto()
    BOTH = auto()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What two sources say of a test.

    `answered`: it passed or went bad on the baseline kernel, in a way that says anything; `bad_there`: it went bad, and
    `by_chance`: a test with the results that are stored may do that now and then. `flaky`: it is stored as one that does
    both, or is expunged.
    """

    answered: bool = False
    bad_there: bool = False
    by_chance: bool = False
    flaky: bool = False


_MEASURES: tuple[tuple[Callable[[Evidence], bool], Measure], ...] = (
    (lambda evidence: not evidence.answered, Measure.STORED),
    (lambda evidence: evidence.by_chance, Measure.BOTH),
    (lambda evidence: evidence.bad_there, Measure.ARM),
    (lambda evidence: evidence.flaky, Measure.BOTH),
    (lambda _: True, Measure.ARM),
)
"""The first that holds decides."""


def measure(evidence: Evidence) -> Measure:
    """What a test's ends are compared with."""
    return next(found for holds, found in _MEASURES if holds(evidence))


def judge_beside(stored: Entry | None, arm: Counts | None, now: Counts) -> Verdict:
    """Compare what a test did with what is stored and, where that is an answer, with what it did on the baseline kernel.

    Missing is not an answer, and a hang is one only to a hang or a skip. A skip adds to what is stored, but excuses no skip;
    any other end counts for more than that, with two exceptions. A pass there does not undo that the test is known to be
    flaky, or is expunged. And a failure there does not excuse one here if it may have been chance.
    """
    if arm is None:
        return _judge_stored(stored, Counts(), now)
    before, expunged = (stored.counts, stored.only_listed) if stored else (Counts(), False)
    there = _answer(arm, now)
    flaky = before.bad > 0 and (before[Status.PASS] > 0 or expunged)
    by_chance = not expunged and min(now.bad, there.bad) > 0 and is_chance(before.bad, before.ran, there.bad, there.ran)
    match measure(Evidence(there[Status.PASS] > 0 or there.bad > 0, there.bad > 0, by_chance, flaky)):
        case Measure.STORED:
            if not now.ran and before.ran:
                there = Counts()  # that it skips there, too, brings back nothing of what ran before
            return _judge_stored(stored, there, now)
        case Measure.ARM:
            return judge(there, now, expunged=expunged)
        case Measure.BOTH:
            verdict = judge(before + there, now, listed_flaky=stored is not None and stored.listed_flaky)
            return Verdict.KNOWN_FLAKE if expunged and verdict is Verdict.INCONCLUSIVE else verdict


def judge_ways(verdict: Verdict, ways: Ways) -> Verdict:
    """The verdict by counts, unless the test goes bad in a way that nobody knows, or more often in one that is known."""
    if (ways.unknown or ways.more_often) and verdict in {Verdict.KNOWN_FAILURE, Verdict.KNOWN_FLAKE}:
        return Verdict.INCONCLUSIVE
    return verdict


def _judge_stored(stored: Entry | None, there: Counts, now: Counts) -> Verdict:
    """Compare with what is stored, and `there` besides."""
    if stored is None:
        return judge(there if there.total else None, now)
    before = stored.counts + there if there.counts else stored.counts  # mostly there is nothing to add
    return judge(before, now, expunged=stored.only_listed, listed_flaky=stored.listed_flaky)


def _judge_bad(before: Counts | None, now: Counts, *, listed_flaky: bool) -> Verdict:
    if before is None or not before.bad:
        return Verdict.INCONCLUSIVE
    only_failed = before.bad == before[Status.FAIL]
    if only_failed and now.bad > now[Status.FAIL]:
        return Verdict.INCONCLUSIVE
    if not before[Status.PASS]:
        return Verdict.KNOWN_FAILURE
    known = is_known(before.bad, before.ran, now.bad, now.ran)
    if listed_flaky and not known:
        known = is_chance(before.bad, before.ran, now.bad, now.ran)
    return Verdict.KNOWN_FLAKE if known else Verdict.INCONCLUSIVE


def _answer(arm: Counts, now: Counts) -> Counts:
    """The results on the baseline kernel that are comparable with the results now."""
    hangs_now = 0 < now.bad == now[Status.HANG]
    skips_now = not now.ran  # what ran there, and be it until it hung, does not run now
    ignored = {Status.MISSING} if hangs_now or skips_now else {Status.MISSING, Status.HANG}
    return Counts({status: number for status, number in arm.counts.items() if status not in ignored})
