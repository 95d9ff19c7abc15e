"""What a run's verdict is in words, and what of it is worth telling: shared by every report for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from kdevops.errors import ExitCode
from kdevops.report.alike import alike
from kdevops.results.baseline import Entry
from kdevops.results.model import Counts, RunState, Status
from kdevops.results.store import Run
from kdevops.results.text import clean
from kdevops.results.verdict import Judged, RunVerdict, Verdict

BAD = frozenset({Status.FAIL, Status.CRASH, Status.HANG})
NO_SERIES = "for a series is two numbers, as in 6.1"
_OPEN = frozenset({RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that are told of one by one, under a title. `complaints` are of the kernel, and how often it had each."""

    title: str
    tests: tuple[Judged, ...]
    complaints: tuple[tuple[str, int], ...] = ()


def many(number: int, noun: str) -> str:
    """ "1 test", "2 tests"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def told(counts: Counts) -> str:
    """Counts as in "12 pass, 1 fail"."""
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


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
    """The verdict in one line."""
    counts, planned = verdict.counts, many(verdict.counts.total, "test")
    gone = f"{counts[Status.MISSING]} of {planned} {'has' if counts[Status.MISSING] == 1 else 'have'} no result"
    beside = verdict.arm
    known = beside is not None or any(verdict.compared.values())
    lacking = f"run {beside.run.id} of the baseline kernel lacks results" if beside and not beside.complete else ""
    if verdict.exit_code is ExitCode.REGRESSION and not known:
        return f"{many(counts.bad, 'test')} of {counts.total} went wrong, and no baseline says that this is known: {told(counts)}"
    if verdict.exit_code is ExitCode.REGRESSION:
        parts = [f"Regression: {_gating(verdict)}", "" if verdict.complete else gone, lacking]
        return "; ".join(part for part in parts if part)
    if not verdict.ran:
        return f"Nothing ran: {planned} planned, {told(counts) or 'none'}"
    if not verdict.complete:
        word = {RunState.INTERRUPTED: "Interrupted", RunState.RUNNING: "Unfinished"}.get(run.state, "Incomplete")
        return f"{word}: {gone}; nothing regressed in the others"
    if lacking:
        return f"Incomplete: {lacking}; nothing regressed in {planned}: {told(counts)}"
    if not known:
        return f"No baseline yet for these {planned}: {told(counts)}"
    return f"Nothing regressed in {planned}: {told(counts)}"


def groups(verdict: RunVerdict) -> tuple[Group, ...]:
    """Tests that differ from the baseline, worst first; empty groups are left out. Missing ones are told by reason."""
    new_failures = [each for each in verdict.of(Verdict.NEW) if is_bad(each)]
    as_expected = [
        each
        for each in verdict.of(Verdict.OK, Verdict.NEW, Verdict.KNOWN_FAILURE)
        if each.verdict is not Verdict.NEW or not is_bad(each)
    ]
    complaints = [each for each in as_expected if each.outcome.oops and each.outcome.status is not Status.CRASH]
    found: tuple[Group, ...] = (
        Group("Regressed", verdict.of(Verdict.REGRESSED)),
        Group("New and failing", tuple(each for each in new_failures if has_baseline(verdict, each))),
        Group(
            "Failing, with no baseline to compare with",
            tuple(each for each in new_failures if not has_baseline(verdict, each)),
        ),
        Group("Suspect: failing, as it did before now and then", verdict.of(Verdict.SUSPECT)),
        Group("The kernel complained while these ran", tuple(complaints), _titles(complaints)),
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
    shown = [each for group in groups(verdict) for each in group.tests if is_bad(each)]
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


def is_bad(judged: Judged) -> bool:
    """A fail, a crash or a hang."""
    return judged.outcome.status in BAD


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
    return run.id if differs else None


def _stored(before: Entry) -> str:
    if not before.expunged:
        return f"was {told(before.counts)}"
    often = f" {many(before.counts.bad, 'time')} in {before.counts.total}" if before.counts[Status.PASS] else ""
    return f"known to fail{often}"


def _titles(tests: Iterable[Judged]) -> tuple[tuple[str, int], ...]:
    return tuple((title, len(same)) for title, same in alike((oops_title(each.outcome.oops), each) for each in tests))


def _reason(judged: Judged) -> str:
    if judged.verdict is Verdict.KNOWN_FAILURE and judged.outcome.status is Status.SKIP:
        return "known failure, left out"
    return clean(judged.outcome.reason) or "no reason given"


def _argument(judged: Judged) -> str:
    return shlex.quote(clean(str(judged.test)))


def _gating(verdict: RunVerdict) -> str:
    regressed = len(verdict.of(Verdict.REGRESSED))
    new = sum(each.gates for each in verdict.of(Verdict.NEW))
    parts = [f"{many(regressed, 'test')} got worse"] if regressed else []
    if new:
        parts.append(f"{many(new, 'new test')} {'fails' if new == 1 else 'fail'}")
    return ", ".join(parts)
