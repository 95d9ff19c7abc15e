"""The end of a run, for a terminal and for a mail."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kdevops.report import words
from kdevops.report.another_way import another_way
from kdevops.report.counts_table import CountsTable
from kdevops.report.kernels import described
from kdevops.report.next_steps import next_steps
from kdevops.report.styles import UNBROKEN, counted, indented
from kdevops.report.troubles import UNKNOWN, troubles, under
from kdevops.results import imported
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, Outcome, Status
from kdevops.results.reruns import in_words
from kdevops.results.store import Run
from kdevops.results.symptoms import failed_subtests
from kdevops.results.verdict import Judged, RunVerdict
from kdevops.text import clean

_HEADLINE_STYLES = {0: "bold green", 1: "bold red", 4: "bold magenta"}
_MAX_TESTS = 10
"""Tests shown in full in each group; the rest are counted."""
_MAX_REPORT = 25
"""Lines shown of the report of a kernel that does not boot."""
_MAX_SUBTESTS = 5
_MAX_PROFILES = 5
_MAX_EXAMPLES = 3
"""Tests named for each kernel report."""


def summary(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> RenderableType:
    """The whole summary of a run, the verdict first.

    `kernel` is the release that ran. `directory` is the run's; names of output files are relative to it.
    """
    return Group(*_parts(run, verdict, kernel, directory))


def summary_text(
    run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None, width: int = 80
) -> str:
    """The same as plain text without escape sequences, in lines of at most `width` columns."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(summary(run, verdict, kernel=kernel, directory=directory))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def print_summary(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> None:
    """Print the summary on stdout: wrapped for a terminal, otherwise unwrapped for programs like grep."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(summary(run, verdict, kernel=kernel, directory=directory))
    else:
        text = summary_text(run, verdict, kernel=kernel, directory=directory, width=UNBROKEN)
        console.file.write(text)


def _parts(run: Run, verdict: RunVerdict, kernel: str, directory: Path | None) -> Iterator[RenderableType]:
    yield Text(words.headline(run, verdict), style=_HEADLINE_STYLES[verdict.exit_code])
    yield Text(f"run {run.id} of lab {run.lab}" + (f", kernel {clean(kernel)}" if kernel else ""))
    if imported.is_imported(run):
        yield from _imported(run)
    yield from (Text(f"suite {suite}") for suite in words.suites_from(run))
    yield Text(words.comparison(verdict))
    yield from map(Text, words.known_from(run))
    yield from _boot_failure(verdict)
    yield from _arms(run, verdict)
    yield Text()
    yield CountsTable(verdict)
    known, asides = verdict.of(Verdict.KNOWN_FAILURE), words.asides(verdict)
    if known or asides:
        yield Text()
    if known:
        yield Text(f"Known failures: {words.told(Counts.of(each.outcome.status for each in known))}")
        yield from _names(run, known, Verdict.KNOWN_FAILURE.value)
    yield from map(Text, asides)
    if verdict.troubles:
        yield from _troubles(run, verdict)
    for group in words.groups(verdict):
        yield Text()
        yield Text(f"{group.title} ({len(group.tests)})", style="bold")
        for judged in group.tests[:_MAX_TESTS]:
            yield from _test(judged, words.has_baseline(verdict, judged))
        if len(group.tests) > _MAX_TESTS:
            rest = f"and {len(group.tests) - _MAX_TESTS} more, listed by: kdevops results {run.id} --format mail"
            yield indented(Text(rest))
        if group.title == words.SKIPPED_NOW:
            yield indented(Text(words.how_to_allow(run, verdict), overflow="fold"))
    if not verdict.troubles:
        yield from _troubles(run, verdict)
    yield from _absent(verdict)
    for status in words.without_result():
        yield from _reasons(verdict, status, status.ending.heading)
        if status is Status.MISSING:
            yield from _names(run, verdict.of(Verdict.MISSING), status.value)
    yield from _ending(run, verdict, directory)


def _imported(run: Run) -> Iterator[RenderableType]:
    """When and where others ran the tests, and how."""
    machine = clean(str(run.record.get("kernel", {}).get("machine", "")))
    on = f" on {machine}" if machine else ""
    yield Text(f"ran {clean(imported.days(run)) or 'on an unknown date'}{on}, imported {run.created[:10]}")
    made = [f"{profile}: {words}" for profile, words in imported.profiles(run).items()]
    for line in made[:_MAX_PROFILES]:
        yield indented(Text(line, overflow="fold"))
    if rest := made[_MAX_PROFILES:]:
        yield indented(Text(f"and {len(rest)} more profiles, in: kdevops results {run.id} --json"))


def _boot_failure(verdict: RunVerdict) -> Iterator[RenderableType]:
    """The report of a kernel that does not boot."""
    failure = verdict.boot_failure
    if failure is None:
        return
    yield Text(f"the kernel of run {failure.booted} booted here" if failure.booted else "")
    yield Text()
    lines = failure.text.splitlines()
    for line in lines[:_MAX_REPORT]:
        yield indented(Text(clean(line), overflow="fold"))
    if rest := len(lines) - _MAX_REPORT:
        yield indented(Text(f"and {rest} more lines" if rest > 0 else ""))
    if failure.console:
        yield indented(Text(f"console of {clean(failure.guest)}: {clean(failure.console)}", overflow="fold"))


def _arms(run: Run, verdict: RunVerdict) -> Iterator[RenderableType]:
    """Both kernels, if two were compared."""
    if not verdict.arm:
        return
    kernels = described(verdict.arm.run, run)
    arms = (("Baseline kernel", verdict.arm.run, verdict.arm.counts), ("Under test", run, verdict.counts))
    yield Text()
    for (title, each, counts), kernel in zip(arms, kernels, strict=True):
        yield Text(f"{title}, run {each.id}: {kernel}", overflow="fold")
        yield indented(Text(words.told(counts) or "nothing yet"))


def _test(judged: Judged, has_baseline: bool) -> Iterator[RenderableType]:
    outcome = judged.outcome
    yield indented(Text(clean(str(judged.test))))
    line = Text()
    if has_baseline or judged.before:
        line.append(f"{words.was(judged.before, judged.arm)}; now ")
    line.append(outcome.status.value, outcome.status.ending.style)
    if judged.now.total > 1:
        line.append(f" ({words.told(judged.now)} of {judged.now.total})")
    if words.is_bad(judged):
        line.append(f" after {outcome.seconds:.1f} s" + (f" on {clean(outcome.guest)}" if outcome.guest else ""))
    yield indented(line, 4)
    if way := another_way(judged):
        yield indented(Text(way, overflow="fold"), 4)
    details = {"": outcome.reason, "kernel: ": words.oops_title(outcome.oops)}
    if details["kernel: "] == clean(outcome.reason):
        del details["kernel: "]
    details["failed: "] = _failed_subtests(outcome)
    if judged.decided:
        details["again: "] = in_words(judged.decided)
    if judged.before:
        details["note: "] = judged.before.note
    if words.is_bad(judged) or outcome.oops:
        details["output: "] = outcome.output
    for label, text in details.items():
        if text:
            yield indented(Text(label + clean(text), overflow="fold"), 4)


def _failed_subtests(outcome: Outcome) -> str:
    names = failed_subtests(outcome)
    more = f" and {len(names) - _MAX_SUBTESTS} more" if len(names) > _MAX_SUBTESTS else ""
    return ", ".join(names[:_MAX_SUBTESTS]) + more


def _reasons(verdict: RunVerdict, status: Status, title: str) -> Iterator[RenderableType]:
    reasons = words.by_reason(verdict, status)
    if not reasons:
        return
    yield Text()
    yield Text(f"{title} ({verdict.counts[status]})", style="bold")
    yield counted(reasons)


def _troubles(run: Run, verdict: RunVerdict) -> Iterator[RenderableType]:
    """Kernel reports, each problem once; for unknown ones with test names."""
    found = troubles(verdict)
    if not found:
        return
    yield Text()
    title = f"Kernel reports during tests ({under(found)})" if under(found) else "Kernel reports"
    yield Text(title, style="bold")
    grid = Table.grid(padding=(0, 0, 0, 2))
    grid.add_column(justify="right", min_width=3)
    grid.add_column(overflow="fold")
    for trouble in found[:_MAX_TESTS]:
        grid.add_row(str(trouble.times), Text(str(trouble), style="red" if trouble.label == UNKNOWN else ""))
        if trouble.label == UNKNOWN:
            names = [*(clean(str(each.test)) for each in trouble.tests), *trouble.beside]
            more = f" and {len(names) - _MAX_EXAMPLES} more" if len(names) > _MAX_EXAMPLES else ""
            grid.add_row("", Text(", ".join(names[:_MAX_EXAMPLES]) + more))
    if rest := len(found[_MAX_TESTS:]):
        grid.add_row(str(rest), Text(f"more, listed by: kdevops results {run.id} --json"))
    yield Padding(grid, (0, 0, 0, 2))


def _absent(verdict: RunVerdict) -> Iterator[RenderableType]:
    """Tests in the baseline that were not planned; unexplained ones by name, with what to do about them."""
    if not verdict.absent:
        return
    yield Text()
    yield Text(f"In the baseline, but not planned ({len(verdict.absent)})", style="bold")
    yield counted([(why or "unknown reason", len(tests)) for why, tests in words.absences(verdict)])
    for test in verdict.lost[:_MAX_TESTS]:
        yield indented(Text(clean(str(test)), overflow="fold"))
    if rest := len(verdict.lost[_MAX_TESTS:]):
        yield indented(Text(f"and {rest} more"))
    if verdict.lost:
        yield indented(Text(words.LOST, overflow="fold"))


def _names(run: Run, tests: Sequence[Judged], which: str) -> Iterator[RenderableType]:
    """The first of these tests, and how to list the others: `which` is their status or verdict."""
    usual = {Status.FAIL, Status.SKIP, Status.MISSING}
    for each in tests[:_MAX_TESTS]:
        status = each.outcome.status
        yield indented(Text(clean(str(each.test)) + ("" if status in usual else f" ({status})"), overflow="fold"))
    if rest := len(tests[_MAX_TESTS:]):
        yield indented(Text(f"and {rest} more: kdevops results {run.id} --list {which}"))


def _ending(run: Run, verdict: RunVerdict, directory: Path | None) -> Iterator[RenderableType]:
    if directory:
        yield Text()
        yield Text(f"Test output is in {directory}", overflow="fold")
    if steps := next_steps(run, verdict):
        yield Text()
        yield Text("Next", style="bold")
        grid = Table.grid(padding=(0, 0, 0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for purpose, command in steps:
            grid.add_row(purpose, Text(command, style="cyan"))
        yield Padding(grid, (0, 0, 0, 2))
