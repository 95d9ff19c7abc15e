"""What a run's verdict is in words, and what of it is worth telling: shared by every report for people."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.errors import ExitCode
from kdevops.report.alike import alike
from kdevops.report.counting import many
from kdevops.report.troubles import EXCUSED, KNOWN, OLD, UNKNOWN, troubles, under, where
from kdevops.results.baseline import Entry
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import NARROWED, Judged, RunVerdict
from kdevops.text import clean

LOST = "where they are gone for good, take their lines out of the baseline; where they are not wanted, skip them in the lab"
NO_SERIES = "for a series is two numbers, as in 6.1"
_MAX_NAMES = 3
_MAX_NAME = 120
_OPEN = frozenset({RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that are told of one by one, under a title."""

    title: str
    tests: tuple[Judged, ...]


def told(counts: Counts) -> str:
    """Counts as in "12 pass, 1 fail"."""
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def knows(verdict: RunVerdict) -> bool:
    """Whether the run was compared with anything at all."""
    return verdict.arm is not None or any(verdict.compared.values())


def oops_title(oops: str) -> str:
    """The line of a kernel's report that names it."""
    return next((line for line in map(clean, oops.splitlines()) if line), "")


def was(before: Entry | None, arm: Counts | None = None) -> str:
    """What is known of a test, and how it ended with the baseline kernel, for the line that says how it ended now."""
    there = f"{told(arm)} with the baseline kernel" if arm else ""
    if before is None:
        return f"was {there}" if there else "not in the baseline"
    return _stored(before) + (f", and {there}" if there else "")


def headline(run: Run, verdict: RunVerdict) -> str:
    """The verdict in one line, which says no more than the run knows: what ran, and what did not."""
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
        word = {RunState.INTERRUPTED: "Interrupted", RunState.RUNNING: "Unfinished"}.get(run.state, "Incomplete")
        first, *others = [*missing, *lacking]
        parts = [f"{word}: {first}", *others, claim, *_skips(verdict)]
    else:
        parts = [claim[0].upper() + claim[1:], *_skips(verdict)]
    return "; ".join([*parts, *_beside(verdict)])


def groups(verdict: RunVerdict) -> tuple[Group, ...]:
    """Tests that differ from the baseline, worst first; empty groups are left out. Missing ones are told by reason."""
    new_failures = [each for each in verdict.of(Verdict.NEW) if is_bad(each)]
    found: tuple[Group, ...] = (
        Group("Regressed", verdict.of(Verdict.REGRESSED)),
        Group("New and failing", tuple(each for each in new_failures if has_baseline(verdict, each))),
        Group(
            "Failing, with no baseline to compare with",
            tuple(each for each in new_failures if not has_baseline(verdict, each)),
        ),
        Group("Suspect: failing, as it did before now and then", verdict.of(Verdict.SUSPECT)),
        Group("Skipped now", verdict.of(Verdict.SKIPPED_NOW)),
        Group("Fixed", verdict.of(Verdict.FIXED)),
    )
    told_of = {each.test.plain for group in found for each in group.tests}
    otherwise = [each for each in verdict.of(*Verdict) if each.test.plain not in told_of and _differs(each)]
    found = (*found, Group("Otherwise different from the baseline kernel", tuple(otherwise)))
    return tuple(group for group in found if group.tests)


def by_reason(verdict: RunVerdict, status: Status) -> list[tuple[str, int]]:
    """Why tests ended with this status and how many each, the most frequent first; reasons that are alike are one."""
    reasons = alike((_reason(each), each) for each in verdict.tests if each.outcome.status is status)
    return [(reason, len(tests)) for reason, tests in reasons]


def absences(verdict: RunVerdict) -> list[tuple[str, list[TestId]]]:
    """Why tests that the baseline has were not planned, what nothing explains first, and which."""
    reasons: dict[str, list[TestId]] = {}
    for test, why in sorted(verdict.absent.items()):
        reasons.setdefault(why, []).append(test)
    return sorted(reasons.items(), key=lambda reason: (bool(reason[0]), -len(reason[1]), reason[0]))


def suites_from(run: Run) -> list[str]:
    """Each suite of the run that is not ours, with the distribution that it is from."""
    return [clean(f"{name} from {where}") for name, where in run.record.get("suites_from", {}).items()]


def asides(verdict: RunVerdict) -> list[str]:
    """What needs no line of its own, counted."""
    lines = []
    good = (each for each in verdict.of(Verdict.NEW) if not is_bad(each) and not each.arm)
    if new := [each for each in good if has_baseline(verdict, each)]:
        lines.append(f"Not in the baseline: {told(Counts.of(each.outcome.status for each in new))}")
    if verdict.arm:
        unknown = sum(not _answered(each) for each in verdict.tests if each.test == each.test.plain)
        lines += [f"No result with the baseline kernel: {many(unknown, 'test')}"] if unknown else []
    if verdict.ignored:
        lines.append(f"Not read as baselines, {NO_SERIES}: {', '.join(verdict.ignored)}")
    return lines


def comparison(verdict: RunVerdict) -> str:
    """What the run was compared with: "compared with the baseline of 6.1"."""
    arm = verdict.arm
    parts = [f"run {arm.run.id} of lab {clean(arm.run.lab)}"] if arm else []
    for series in sorted({series for series in verdict.compared.values() if series}):
        fallback = "" if series == verdict.series else f" (none for {verdict.series} yet)"
        parts.append(f"the baseline of {series}{fallback}")
    without = ["/".join(key) for key, series in sorted(verdict.compared.items()) if series is None]
    nothing = f"no baseline for {verdict.series} or an older series"
    if not parts:
        return nothing
    text = f"compared with {' and '.join(parts)}"
    if not any(verdict.compared.values()):
        return f"{text}; {nothing}"
    return f"{text}; none for {', '.join(clean(name) for name in without)}" if without else text


def next_steps(run: Run, verdict: RunVerdict) -> list[tuple[str, str]]:
    """Commands worth typing now, each after what it does."""
    steps: list[tuple[str, str]] = []
    shown = [each for trouble in troubles(verdict) if trouble.label == UNKNOWN for each in trouble.tests]
    shown = [each for group in groups(verdict) for each in group.tests if is_bad(each)] + shown
    if shown:
        steps.append(("see why", f"kdevops results {run.id} --test {_argument(shown[0])}"))
    arm = verdict.arm
    if run.state in _OPEN:
        steps.append(("go on", f"kdevops resume {run.id}"))
    elif arm and arm.run.state in _OPEN:
        steps.append(("go on", f"kdevops resume {arm.run.id}"))
    elif not verdict.complete and "imported" not in run.record:
        steps.append(("run again", f"kdevops rerun {run.id}"))
    if verdict.ran and verdict.complete and (acceptable := _acceptable(run, verdict)):
        steps.append(("accept", f"kdevops baseline accept {acceptable}"))
    return steps


def has_baseline(verdict: RunVerdict, judged: Judged) -> bool:
    """Whether anything is known of the test's suite and profile, or of the test itself."""
    return judged.arm is not None or verdict.compared.get((judged.test.suite, judged.test.profile)) is not None


def without_result() -> list[Status]:
    """The statuses that say nothing of a test, in the order in which reports have them."""
    return sorted((status for status in Status if not status.ran), key=lambda status: status.ending.severity)


def is_bad(judged: Judged) -> bool:
    """A fail, a crash or a hang."""
    return judged.outcome.status.is_bad


def _answered(judged: Judged) -> bool:
    """Whether the test came to any end with the baseline kernel."""
    return judged.arm is not None and judged.arm.total > judged.arm[Status.MISSING]


def _differs(judged: Judged) -> bool:
    """Whether the test ended otherwise than with the baseline kernel, as far as both have ends."""
    if not judged.arm or not _answered(judged) or judged.outcome.status is Status.MISSING:
        return False
    return {status for status in Status if judged.arm[status]} != {status for status in Status if judged.now[status]}


def _acceptable(run: Run, verdict: RunVerdict) -> int | None:
    """The run worth taking into the baseline: this one where it differs; of two arms that of the baseline kernel."""
    if verdict.arm:
        unknown = any(each.before is None and _answered(each) for each in verdict.tests)
        return verdict.arm.run.id if unknown and verdict.arm.complete else None
    differs = verdict.of(Verdict.NEW, Verdict.FIXED, Verdict.REGRESSED, Verdict.SUSPECT, Verdict.SKIPPED_NOW)
    return run.id if differs or verdict.troubles else None


def _stored(before: Entry) -> str:
    if not before.expunged:
        return f"was {told(before.counts)}"
    often = f" {many(before.counts.bad, 'time')} in {before.counts.total}" if before.counts[Status.PASS] else ""
    return f"known to fail{often}"


def _reason(judged: Judged) -> str:
    if judged.verdict is Verdict.KNOWN_FAILURE and judged.outcome.status is Status.SKIP:
        return "known failure, left out"
    return clean(judged.outcome.reason) or "no reason given"


def _argument(judged: Judged) -> str:
    return shlex.quote(clean(str(judged.test)))


def _red(verdict: RunVerdict) -> str:
    """Why the run is red."""
    found = [each for each in troubles(verdict) if each.label == UNKNOWN]
    reports = f"{many(len(found), 'kernel report')} {where(found)}" if found else ""
    names = _some([each.name for each in found])
    if knows(verdict):
        return f"Regression: {', '.join([*_gating(verdict), *([f'{reports}, not known: {names}'] if found else [])])}"
    bad = any(each.gates for each in verdict.tests)
    wrong = [f"{many(verdict.counts.bad, 'test')} of {verdict.counts.total} went wrong"] if bad else []
    what = " and ".join([*wrong, *([reports] if found else [])])
    text = f"{what}, and no baseline says that this is known: {told(verdict.counts)}"
    return f"{text}; {names}" if found else text


def _gating(verdict: RunVerdict) -> list[str]:
    regressed = sum(each.gates for each in verdict.of(Verdict.REGRESSED))
    new = sum(each.gates for each in verdict.of(Verdict.NEW))
    parts = [f"{many(regressed, 'test')} got worse"] if regressed else []
    if new:
        parts.append(f"{many(new, 'new test')} {'fails' if new == 1 else 'fail'}")
    return parts


def _claim(verdict: RunVerdict) -> str:
    return "nothing regressed in" if knows(verdict) else "no baseline yet for"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _lacking(verdict: RunVerdict) -> list[str]:
    """What else makes the run incomplete."""
    parts = []
    if verdict.arm and not verdict.arm.complete:
        parts.append(f"run {verdict.arm.run.id} of the baseline kernel lacks results")
    if lost := verdict.lost:
        was = "was" if len(lost) == 1 else "were"
        names = _some([test.name for test in lost])
        parts.append(
            f"{many(len(lost), 'test')} that the baseline has {was} not planned, and nothing says why: {names}"
        )
    return parts


def _skips(verdict: RunVerdict) -> list[str]:
    """What was planned and did not run, though all is well."""
    left_out = sum(each.left_out for each in verdict.tests)
    skipped, before = verdict.counts[Status.SKIP] - left_out, len(verdict.of(Verdict.SKIPPED_NOW))
    ran_before = f", of which {before} ran before" if before else ""
    return [
        *([f"{skipped} skipped{ran_before}"] if skipped else []),
        *([f"{left_out} left out as known to fail"] if left_out else []),
    ]


def _beside(verdict: RunVerdict) -> list[str]:
    """What nobody knew, what of the baseline was not asked for, and what the kernel said that makes nothing red."""
    good = [each for each in verdict.of(Verdict.NEW) if not is_bad(each) and not each.arm]
    parts = [f"{len(good)} new"] if good and knows(verdict) else []
    return [*parts, *([_of_the_baseline(verdict)] if verdict.absent else []), *_heard(verdict)]


def _of_the_baseline(verdict: RunVerdict) -> str:
    """How many of the tests that the baseline has were planned; the others by name, where the lab leaves them out."""
    have, known = len(verdict.ever_ran) - len(verdict.absent), len(verdict.ever_ran)
    chosen = sorted(test.name for test, why in verdict.absent.items() if why and not why.startswith(NARROWED))
    return f"{have} of the {many(known, 'test')} that the baseline has" + (
        f", without {_some(chosen)}" if chosen else ""
    )


def _heard(verdict: RunVerdict) -> list[str]:
    parts = []
    for label, noun in ((KNOWN, "known kernel report"), (EXCUSED, "kernel report")):
        if found := [each for each in troubles(verdict) if each.label == label]:
            parts.append(f"{many(len(found), noun)} {where(found, 'known failure' if label == EXCUSED else 'test')}")
    if old := [each for each in troubles(verdict) if each.label == OLD]:
        parts.append(f"the kernel complained under {many(under(old), 'test')}")
    return parts


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(clean(name, _MAX_NAME) for name in names[:_MAX_NAMES]) + more


def _of_those_that_ran(counts: Counts) -> Counts:
    return Counts({status: counts[status] for status in Status if status.ran})
