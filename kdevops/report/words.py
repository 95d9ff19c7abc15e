"""A run's verdict in words: shared by all reports for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.errors import ExitCode
from kdevops.report.alike import alike
from kdevops.report.counting import many
from kdevops.report.troubles import EXCUSED, KNOWN, OLD, UNKNOWN, troubles, under, where
from kdevops.results.baselines.entry import Entry
from kdevops.results.compare import Verdict
from kdevops.results.decision.interval import wilson
from kdevops.results.model import Counts, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import NARROWED, Judged, RunVerdict
from kdevops.text import clean

SKIPPED = "if that is right: list them under verdict.allow_skips in the lab"
LOST = "if they are gone for good: kdevops baseline annotate TEST --gone; if you do not want them, skip them in the lab"
UNWATCHED = (
    "What the kernel reported during some tests is unknown, because neither the console nor the guest's own log could be read:"
    " run them again"
)
SKIPPED_NOW = "Skipped now, ran before"
NO_SERIES = "because a directory is named after a kernel or a series, as 6.1.9 or 6.1"
_MAX_NAMES = 3
_MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Group:
    """Tests listed one by one under a title."""

    title: str
    tests: tuple[Judged, ...]


def told(counts: Counts) -> str:
    """Counts in words: "12 pass, 1 fail"."""
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def knows(verdict: RunVerdict) -> bool:
    """Whether the run was compared with anything."""
    return verdict.arm is not None or any(verdict.compared.values())


def oops_title(oops: str) -> str:
    """The first non-empty line of a kernel report."""
    return next((line for line in map(clean, oops.splitlines()) if line), "")


def was(before: Entry | None, arm: Counts | None = None) -> str:
    """A test's history and its results with the baseline kernel, for the line with its result."""
    there = f"{told(arm)} with the baseline kernel" if arm else ""
    if before is None:
        return f"was {there}" if there else "not in the baseline"
    return _stored(before) + (f", and {there}" if there else "")


def headline(run: Run, verdict: RunVerdict) -> str:
    """The verdict in one line: what ran and what did not, without claiming more."""
    if verdict.boot_failure:
        return f"Does not boot: {clean(verdict.boot_failure.title)}"
    planned, lacking = many(verdict.counts.total, "test"), _lacking(verdict)
    gone = verdict.counts[Status.MISSING]
    missing = [f"{gone} of {planned} {_has(gone)} no result"] if gone else []
    claim = f"{_claim(verdict)} {many(verdict.ran, 'test')} that ran ({told(_of_those_that_ran(verdict.counts))})"
    if verdict.exit_code is ExitCode.REGRESSION:
        missing = [f"{gone} {_has(gone)} no result"] if gone else []
        parts = [_red(verdict), f"{verdict.ran} of {planned} ran", *missing, *lacking, *_skips(verdict)]
    elif not verdict.ran:
        parts = [f"Nothing ran: {planned} planned, {told(verdict.counts) or 'none'}", *lacking]
    elif missing or lacking:
        whole = verdict.complete and (verdict.arm is None or verdict.arm.complete)
        whole = whole and not (verdict.undecided or verdict.unwatched.count)
        otherwise = "Coverage lost" if whole else "Undecided" if _only_undecided(verdict) else "Incomplete"
        word = {RunState.INTERRUPTED: "Interrupted", RunState.RUNNING: "Unfinished"}.get(run.state, otherwise)
        first, *others = [*missing, *lacking]
        parts = [f"{word}: {first}", *others, claim, *_skips(verdict)]
    else:
        parts = [claim[0].upper() + claim[1:], *_skips(verdict)]
    return "; ".join([*parts, *_beside(verdict)])


def groups(verdict: RunVerdict) -> tuple[Group, ...]:
    """Tests that differ from the baseline, worst first, without empty groups. Missing tests are grouped by reason instead."""
    new_failures = [each for each in verdict.of(Verdict.NEW) if is_bad(each)]
    found: tuple[Group, ...] = (
        Group("Regressed", verdict.of(Verdict.REGRESSED)),
        Group("New failures", tuple(each for each in new_failures if has_baseline(verdict, each))),
        Group(
            "Failures without a baseline",
            tuple(each for each in new_failures if not has_baseline(verdict, each)),
        ),
        Group("Not decided yet", verdict.of(Verdict.INCONCLUSIVE)),
        Group("Flakes: no worse than before", verdict.of(Verdict.FLAKE)),
        Group("Known flakes: fail as often as before", verdict.of(Verdict.KNOWN_FLAKE)),
        Group(SKIPPED_NOW, verdict.skipped_now),
        Group("Fixed", verdict.of(Verdict.FIXED)),
    )
    told_of = {each.test.plain for group in found for each in group.tests}
    told_of |= {each.test.plain for each in verdict.of(Verdict.SKIPPED_NOW)}  # allowed ones are listed by rule
    all_tests = verdict.of(*Verdict) if verdict.arm else ()
    otherwise = [each for each in all_tests if each.test.plain not in told_of and _differs(each)]
    found = (*found, Group("Other differences from the baseline kernel", tuple(otherwise)))
    return tuple(group for group in found if group.tests)


def by_reason(verdict: RunVerdict, status: Status) -> list[tuple[str, int]]:
    """Reasons for this status with the number of tests, the most frequent first; similar reasons are merged."""
    reasons = alike((_reason(each), each) for each in verdict.tests if each.outcome.status is status)
    return [(reason, len(tests)) for reason, tests in reasons]


def absences(verdict: RunVerdict) -> list[tuple[str, list[TestId]]]:
    """Reasons why tests of the baseline were not planned, unexplained first, with the tests."""
    reasons: dict[str, list[TestId]] = {}
    for test, why in sorted(verdict.absent.items()):
        reasons.setdefault(why, []).append(test)
    return sorted(reasons.items(), key=lambda reason: (bool(reason[0]), -len(reason[1]), reason[0]))


def allowed_skips(verdict: RunVerdict) -> list[tuple[str, int]]:
    """The rules of the lab that allow tests to skip now although they ran before, with the number of tests."""
    return Counter(each.allowed for each in verdict.of(Verdict.SKIPPED_NOW) if each.allowed).most_common()


def how_to_allow(run: Run, verdict: RunVerdict) -> str:
    """How to allow the skips of tests that ran before."""
    if "imported" in run.record:
        return "if that is right: accept the run"  # it has no lab
    return SKIPPED if verdict.arm else f"{SKIPPED}, or accept the run"


def allowed_reports(verdict: RunVerdict) -> list[str]:
    """Entries of the list of allowed kernel reports that have ended, or end soon; a line each."""
    allowed = verdict.allowed
    lines = [
        f"Allowed kernel report {clean(each.pattern)} ended on {each.until} ({each.place})" for each in allowed.ended
    ]
    for each in allowed.ending:
        days = (each.until - allowed.today).days
        when = f"ends in {many(days, 'day')}, on {each.until}" if days else f"ends today, {each.until}"
        lines.append(f"Allowed kernel report {clean(each.pattern)} {when} ({each.place})")
    return lines


def suites_from(run: Run) -> list[str]:
    """Each suite of the run that is not ours, with its distribution."""
    return [clean(f"{name} from {where}") for name, where in run.record.get("suites_from", {}).items()]


def known_from(run: Run) -> list[str]:
    """How many tests of each suite were known to fail when the run was planned, and which lists say so."""
    return [clean(f"{suite}: {line}") for suite, line in run.record.get("known", {}).get("from", {}).items()]


def asides(verdict: RunVerdict) -> list[str]:
    """Lines with counts of tests that are not listed one by one."""
    lines = []
    good = (each for each in verdict.of(Verdict.NEW) if not is_bad(each) and not each.arm)
    if new := [each for each in good if has_baseline(verdict, each)]:
        lines.append(f"Not in the baseline: {told(Counts.of(each.outcome.status for each in new))}")
    if verdict.arm:
        unknown = sum(not answered(each) for each in verdict.tests if each.test == each.test.plain)
        lines += [f"No result with the baseline kernel: {many(unknown, 'test')}"] if unknown else []
    lines += [f"Ran before, and may skip by {rule}: {many(number, 'test')}" for rule, number in allowed_skips(verdict)]
    lines += allowed_reports(verdict)
    if verdict.unwatched.count:
        lines.append(UNWATCHED)
    if verdict.ignored:
        lines.append(f"Not read as baselines, {NO_SERIES}: {', '.join(verdict.ignored)}")
    return lines


def comparison(verdict: RunVerdict) -> str:
    """What the run was compared with, as in "compared with the baseline of 6.1"."""
    arm = verdict.arm
    parts = [f"run {arm.run.id} of lab {clean(arm.run.lab)}"] if arm else []
    for series in sorted({series for series in verdict.compared.values() if series}):
        fallback = "" if series == verdict.series else f" (none for {verdict.series} yet)"
        parts.append(f"the baseline of {series}{fallback}")
    without = ["/".join(key) for key, series in sorted(verdict.compared.items()) if series is None]
    nothing = f"no baseline for {verdict.series} or an older series"
    if not parts:
        return nothing
    as_of = f" ({verdict.judged_by})" if verdict.judged_by and any(verdict.compared.values()) else ""
    text = f"compared with {' and '.join(parts)}{as_of}"
    if not any(verdict.compared.values()):
        return f"{text}; {nothing}"
    return f"{text}; none for {', '.join(clean(name) for name in without)}" if without else text


def has_baseline(verdict: RunVerdict, judged: Judged) -> bool:
    """Whether there is a baseline for the test's suite and profile, or a result with the baseline kernel."""
    return judged.arm is not None or verdict.compared.get((judged.test.suite, judged.test.profile)) is not None


def without_result() -> list[Status]:
    """The statuses that say nothing of a test, in the order in which reports have them."""
    return sorted((status for status in Status if not status.ran), key=lambda status: status.ending.severity)


def is_bad(judged: Judged) -> bool:
    """Whether the test failed, crashed or hung."""
    return judged.outcome.status.is_bad


def answered(judged: Judged) -> bool:
    """Whether the test has a result with the baseline kernel."""
    return judged.arm is not None and judged.arm.total > judged.arm[Status.MISSING]


def _differs(judged: Judged) -> bool:
    """Whether the test's result differs from that with the baseline kernel, if both exist."""
    if not judged.arm or not answered(judged) or judged.outcome.status is Status.MISSING:
        return False
    return {status for status in Status if judged.arm[status]} != {status for status in Status if judged.now[status]}


def _rate(counts: Counts) -> str:
    """How often a flaky test was bad, with the interval that this allows."""
    if not (counts[Status.PASS] and counts.bad):
        return ""
    low, high = wilson(counts.bad, counts.ran)
    return f", bad in {counts.bad / counts.ran:.0%} ({low:.0%}-{high:.0%})"


def _stored(before: Entry) -> str:
    ours = f"was {told(before.ours)}{_rate(before.ours)}" if before.ours.total or not before.expunged else ""
    if not before.expunged:
        return ours
    bad, passed = before.counts.bad - before.ours.bad, before.counts[Status.PASS] - before.ours[Status.PASS]
    often = f" {many(bad, 'time')} in {bad + passed}" if passed else ""
    return f"{ours}, known to fail{often} by an expunge list" if ours else f"known to fail{often}"


def _reason(judged: Judged) -> str:
    if judged.verdict is Verdict.KNOWN_FAILURE and judged.outcome.status is Status.SKIP:
        return "known failure, left out"
    return clean(judged.outcome.reason) or "no reason given"


def _red(verdict: RunVerdict) -> str:
    """Why the run is red."""
    found = [each for each in troubles(verdict) if each.label == UNKNOWN]
    reports = f"{many(len(found), 'kernel report')} {where(found)}" if found else ""
    names = _some([each.name for each in found])
    if knows(verdict):
        return f"Regression: {', '.join([*_gating(verdict), *([f'{reports}, not known: {names}'] if found else [])])}"
    bad = any(each.gates for each in verdict.tests)
    wrong = [f"{many(verdict.counts.bad, 'test')} of {verdict.counts.total} failed"] if bad else []
    what = " and ".join([*wrong, *([reports] if found else [])])
    text = f"{what}, with no baseline to compare with: {told(verdict.counts)}"
    return f"{text}; {names}" if found else text


def _gating(verdict: RunVerdict) -> list[str]:
    regressed = sum(each.gates for each in verdict.of(Verdict.REGRESSED))
    new = sum(each.gates for each in verdict.of(Verdict.NEW))
    parts = [f"{many(regressed, 'test')} got worse"] if regressed else []
    if new:
        parts.append(f"{many(new, 'new test')} {'fails' if new == 1 else 'fail'}")
    return parts


def _only_undecided(verdict: RunVerdict) -> bool:
    """Whether nothing is lacking but decisions."""
    return verdict.complete and bool(verdict.undecided) and len(_lacking(verdict)) == 1


def _claim(verdict: RunVerdict) -> str:
    if not knows(verdict):
        return "no baseline yet for"
    return "nothing else regressed in" if verdict.undecided else "nothing regressed in"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _lacking(verdict: RunVerdict) -> list[str]:
    """Other reasons why the run is incomplete."""
    parts = []
    if verdict.arm and not verdict.arm.complete:
        parts.append(f"run {verdict.arm.run.id} of the baseline kernel lacks results")
    if undecided := verdict.undecided:
        is_ = "is" if len(undecided) == 1 else "are"
        parts.append(
            f"{many(len(undecided), 'failure')} {is_} not decided: {_some([each.test.name for each in undecided])}"
        )
    if number := verdict.unwatched.count:
        names = _some([test.name for test in verdict.unwatched.tests], number)
        parts.append(f"the kernel's messages during {many(number, 'test')} could not be read: {names}")
    if lost := verdict.lost:
        was = "was" if len(lost) == 1 else "were"
        names = _some([test.name for test in lost])
        parts.append(f"{many(len(lost), 'test')} of the baseline {was} not planned for unknown reasons: {names}")
    if skipped := verdict.skipped_now:
        skip = "skips" if len(skipped) == 1 else "skip"
        names = _some([each.test.plain.name for each in skipped])
        parts.append(f"{many(len(skipped), 'test')} that ran before {skip} now: {names}")
    return parts


def _skips(verdict: RunVerdict) -> list[str]:
    """Planned tests that were skipped or left out."""
    left_out = sum(each.left_out for each in verdict.tests)
    skipped = verdict.counts[Status.SKIP] - left_out
    allowed = sum(number for _, number in allowed_skips(verdict))
    ran_before = f", of which {allowed} ran before and may skip" if allowed else ""
    return [
        *([f"{skipped} skipped{ran_before}"] if skipped else []),
        *([f"{left_out} left out as known to fail"] if left_out else []),
    ]


def _beside(verdict: RunVerdict) -> list[str]:
    """New tests, tests of the baseline that were not planned, and kernel reports that do not make the run red."""
    good = [each for each in verdict.of(Verdict.NEW) if not is_bad(each) and not each.arm]
    parts = [f"{len(good)} new"] if good and knows(verdict) else []
    if flakes := len(verdict.of(Verdict.FLAKE)):
        parts.append(f"{many(flakes, 'flake')}, no worse than before")
    return [*parts, *([_of_the_baseline(verdict)] if verdict.absent else []), *_heard(verdict)]


def _of_the_baseline(verdict: RunVerdict) -> str:
    """How many tests of the baseline were planned, and the names of those that the lab leaves out."""
    have, known = len(verdict.ever_ran) - len(verdict.absent), len(verdict.ever_ran)
    chosen = sorted(test.name for test, why in verdict.absent.items() if why and not why.startswith(NARROWED))
    return f"{have} of the {many(known, 'test')} in the baseline" + (f", without {_some(chosen)}" if chosen else "")


def _heard(verdict: RunVerdict) -> list[str]:
    parts = []
    for label, noun in ((KNOWN, "known kernel report"), (EXCUSED, "kernel report")):
        if found := [each for each in troubles(verdict) if each.label == label]:
            parts.append(f"{many(len(found), noun)} {where(found, 'known failure' if label == EXCUSED else 'test')}")
    if old := [each for each in troubles(verdict) if each.label == OLD]:
        parts.append(f"kernel reports under {many(under(old), 'test')}")
    return parts


def _some(names: Sequence[str], number: int | None = None) -> str:
    """The first names of `number` (default: all of them)."""
    number = len(names) if number is None else number
    more = f" and {number - _MAX_NAMES} more" if number > _MAX_NAMES else ""
    return ", ".join(clean(name, _MAX_NAME) for name in names[:_MAX_NAMES]) + more


def _of_those_that_ran(counts: Counts) -> Counts:
    return Counts({status: counts[status] for status in Status if status.ran})
