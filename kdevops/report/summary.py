"""The end of a run, for a terminal, for a mail and for a program."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kdevops.report import words
from kdevops.report.counting import many
from kdevops.report.kernels import described
from kdevops.report.troubles import UNKNOWN, label_of, troubles, under
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, Outcome, Status
from kdevops.results.store import JSON, Run
from kdevops.results.verdict import Arm, Judged, RunVerdict
from kdevops.text import clean

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "red",
    Status.SKIP: "yellow",
    Status.CRASH: "bold red",
    Status.HANG: "bold red",
    Status.MISSING: "bold magenta",
}
_HEADLINE_STYLES = {0: "bold green", 1: "bold red", 4: "bold magenta"}
_MAX_TESTS = 10
"""Tests told in full in each group; the rest is counted."""
_MAX_REASONS = 10
_MAX_REPORT = 25
"""Lines of the report of a kernel that does not boot."""
_UNBROKEN = 10_000
"""Columns that no line needs: a reason and each part of a name have 500 characters at most."""
_MIN_NAME = 20
"""Columns that the names in the table need, or as many as the longest has; in a narrower one each gets a line."""
_MAX_SUBTESTS = 5
_MAX_EXAMPLES = 3
"""Tests named of each trouble of the kernel."""


def summary(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> RenderableType:
    """All there is to say at the end of a run, the verdict first.

    `kernel` is the release that ran. `directory` is the run's, which the names of output files are relative to.
    """
    return Group(*_parts(run, verdict, kernel, directory))


def summary_text(
    run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None, width: int = 80
) -> str:
    """The same as plain text without any escape sequence, lines of at most `width` columns."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(summary(run, verdict, kernel=kernel, directory=directory))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def print_summary(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> None:
    """Print it on stdout: to the width of a terminal, or else with every line as long as it is, for programs like grep."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(summary(run, verdict, kernel=kernel, directory=directory))
    else:
        text = summary_text(run, verdict, kernel=kernel, directory=directory, width=_UNBROKEN)
        console.file.write(text)


def summary_json(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> dict[str, JSON]:
    """The same for a program; every planned test is in it.

    `was` counts statuses, null when unknown; `expunged` tests are known to fail from an expunge list alone. `arms` has
    both runs where two kernels were compared, else null; `baseline_status` is then how the test ended with the other one.
    `reports` are what the kernel said: those that gate and are not known make the run red. `absent` are tests that the
    baseline saw run and that were not planned, `why` null where nothing explains it. `suites_from` has
    the distributions that suites which are not ours are from.
    """
    return {
        "run": run.id,
        "lab": run.lab,
        "state": run.state.value,
        "created": run.created,
        "ended": run.ended,
        "kernel": clean(kernel),
        "directory": str(directory) if directory else None,
        "verdict": words.headline(run, verdict),
        "exit_code": int(verdict.exit_code),
        "complete": verdict.complete,
        "ran": verdict.ran,
        "boot_failure": asdict(verdict.boot_failure) if verdict.boot_failure else None,
        **_json_counts(verdict.counts),
        "suites_from": dict(run.record.get("suites_from", {})),
        "arms": _json_arms(run, verdict),
        "reports": [
            {
                "signature": each.name,
                "said": each.label,
                "times": each.times,
                "tests": len(each.tests),
                "beside": list(each.beside),
            }
            for each in troubles(verdict)
        ],
        "ever_ran": len(verdict.ever_ran),
        "absent": [asdict(test) | {"why": why or None} for test, why in sorted(verdict.absent.items())],
        "suites": [
            {
                "suite": suite,
                "profile": profile,
                "baseline": verdict.compared.get((suite, profile)),
                **_json_counts(counts),
            }
            for (suite, profile), counts in _by_suite(verdict).items()
        ],
        "tests": [_json_test(each, verdict.arm) for each in verdict.tests],
    }


def _parts(run: Run, verdict: RunVerdict, kernel: str, directory: Path | None) -> Iterator[RenderableType]:
    yield Text(words.headline(run, verdict), style=_HEADLINE_STYLES[verdict.exit_code])
    yield Text(f"run {run.id} of lab {run.lab}" + (f", kernel {clean(kernel)}" if kernel else ""))
    yield from (Text(f"suite {suite}") for suite in words.suites_from(run))
    yield Text(words.comparison(verdict))
    yield from _boot_failure(verdict)
    yield from _arms(run, verdict)
    yield Text()
    yield _CountsTable(verdict)
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
            rest = f"and {len(group.tests) - _MAX_TESTS} more, named by: kdevops results {run.id} --format mail"
            yield _indented(Text(rest))
    if not verdict.troubles:
        yield from _troubles(run, verdict)
    yield from _absent(verdict)
    for status, title in ((Status.MISSING, "No result"), (Status.SKIP, "Skipped")):
        yield from _reasons(verdict, status, title)
        if status is Status.MISSING:
            yield from _names(run, verdict.of(Verdict.MISSING), status.value)
    yield from _ending(run, verdict, directory)


def _boot_failure(verdict: RunVerdict) -> Iterator[RenderableType]:
    """What a kernel said that does not boot."""
    failure = verdict.boot_failure
    if failure is None:
        return
    yield Text(f"the kernel of run {failure.booted} booted here" if failure.booted else "")
    yield Text()
    lines = failure.text.splitlines()
    for line in lines[:_MAX_REPORT]:
        yield _indented(Text(clean(line), overflow="fold"))
    if rest := len(lines) - _MAX_REPORT:
        yield _indented(Text(f"and {rest} more lines" if rest > 0 else ""))
    if failure.console:
        yield _indented(Text(f"console of {clean(failure.guest)}: {clean(failure.console)}", overflow="fold"))


def _arms(run: Run, verdict: RunVerdict) -> Iterator[RenderableType]:
    """Which kernel is which, where two were run."""
    if not verdict.arm:
        return
    kernels = described(verdict.arm.run, run)
    arms = (("Baseline kernel", verdict.arm.run, verdict.arm.counts), ("Under test", run, verdict.counts))
    yield Text()
    for (title, each, counts), kernel in zip(arms, kernels, strict=True):
        yield Text(f"{title}, run {each.id}: {kernel}", overflow="fold")
        yield _indented(Text(words.told(counts) or "nothing yet"))


class _CountsTable:
    """How many tests of each profile ended how: a table, or lines where the terminal is too narrow for one."""

    def __init__(self, verdict: RunVerdict) -> None:
        by_suite = _by_suite(verdict)
        suites = {suite for suite, _ in by_suite}
        short = len(suites) == 1 and len(by_suite) > 1  # what all have in common is the head's
        self._head = clean(min(suites)) if short else "suite"
        self._rows = {clean(key[1] if short else "/".join(key)): counts for key, counts in by_suite.items()}
        if len(self._rows) != 1:
            self._rows["all"] = verdict.counts
        self._prefix = f"{self._head}/" if short else ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        table = self._table()
        names = max(cell_len(name) for name in (self._head, *self._rows))
        others = console.measure(table, options=options.update_width(_UNBROKEN)).maximum - names
        yield table if others + min(names, _MIN_NAME) <= options.max_width else Group(*self._lines())

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column(self._head, overflow="fold")
        table.add_column("planned", justify="right", no_wrap=True)
        for number, status in enumerate(Status):
            table.add_column(f"{'+' if number else '='} {status}", justify="right", no_wrap=True)
        for name, counts in self._rows.items():
            cells = [Text(str(counts[status]), style=STYLES[status] if counts[status] else "") for status in Status]
            table.add_row(Text(name), str(counts.total), *cells)
        return table

    def _lines(self) -> Iterator[Text]:
        for name, counts in self._rows.items():
            parts = " + ".join(f"{counts[status]} {status}" for status in Status if counts[status])
            full = name if name == "all" else self._prefix + name
            yield Text(f"{full}: {counts.total} planned = {parts or 0}", overflow="fold")


def _test(judged: Judged, has_baseline: bool) -> Iterator[RenderableType]:
    outcome = judged.outcome
    yield _indented(Text(clean(str(judged.test))))
    line = Text()
    if has_baseline or judged.before:
        line.append(f"{words.was(judged.before, judged.arm)}; now ")
    line.append(outcome.status.value, STYLES[outcome.status])
    if judged.now.total > 1:
        line.append(f" ({words.told(judged.now)} of {judged.now.total})")
    if words.is_bad(judged):
        line.append(f" after {outcome.seconds:.1f} s" + (f" on {clean(outcome.guest)}" if outcome.guest else ""))
    yield _indented(line, 4)
    details = {"": outcome.reason, "kernel: ": words.oops_title(outcome.oops)}
    if details["kernel: "] == clean(outcome.reason):
        del details["kernel: "]
    details["failed: "] = _failed_subtests(outcome)
    if judged.before:
        details["note: "] = judged.before.note
    if words.is_bad(judged) or outcome.oops:
        details["output: "] = outcome.output
    for label, text in details.items():
        if text:
            yield _indented(Text(label + clean(text), overflow="fold"), 4)


def _failed_subtests(outcome: Outcome) -> str:
    bad = [each.name for each in outcome.subtests if each.status not in {Status.PASS, Status.SKIP}]
    parents = {name.rpartition(" / ")[0] for name in bad}  # fail because of what is below them
    names = [name for name in bad if name not in parents]
    more = f" and {len(names) - _MAX_SUBTESTS} more" if len(names) > _MAX_SUBTESTS else ""
    return ", ".join(names[:_MAX_SUBTESTS]) + more


def _reasons(verdict: RunVerdict, status: Status, title: str) -> Iterator[RenderableType]:
    reasons = words.by_reason(verdict, status)
    if not reasons:
        return
    yield Text()
    yield Text(f"{title} ({verdict.counts[status]})", style="bold")
    yield _counted(reasons)


def _troubles(run: Run, verdict: RunVerdict) -> Iterator[RenderableType]:
    """What the kernel reported, each trouble once; of one that nobody knows the tests are named."""
    found = troubles(verdict)
    if not found:
        return
    yield Text()
    title = f"The kernel complained while these ran ({under(found)})" if under(found) else "The kernel complained"
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
        grid.add_row(str(rest), Text(f"more, named by: kdevops results {run.id} --json"))
    yield Padding(grid, (0, 0, 0, 2))


def _absent(verdict: RunVerdict) -> Iterator[RenderableType]:
    """What the baseline has and the run did not plan; where nothing says why, by name, and what to do about it."""
    if not verdict.absent:
        return
    yield Text()
    yield Text(f"In the baseline, and not planned ({len(verdict.absent)})", style="bold")
    yield _counted([(why or "nothing says why", len(tests)) for why, tests in words.absences(verdict)])
    for test in verdict.lost[:_MAX_TESTS]:
        yield _indented(Text(clean(str(test)), overflow="fold"))
    if rest := len(verdict.lost[_MAX_TESTS:]):
        yield _indented(Text(f"and {rest} more"))
    if verdict.lost:
        yield _indented(Text(words.LOST, overflow="fold"))


def _names(run: Run, tests: Sequence[Judged], which: str) -> Iterator[RenderableType]:
    """The first of these tests, and how to see the others: `which` is their status or verdict."""
    usual = {Status.FAIL, Status.SKIP, Status.MISSING}
    for each in tests[:_MAX_TESTS]:
        status = each.outcome.status
        yield _indented(Text(clean(str(each.test)) + ("" if status in usual else f" ({status})"), overflow="fold"))
    if rest := len(tests[_MAX_TESTS:]):
        yield _indented(Text(f"and {rest} more: kdevops results {run.id} --list {which}"))


def _counted(reasons: Sequence[tuple[str, int]]) -> Padding:
    grid = Table.grid(padding=(0, 0, 0, 2))
    grid.add_column(justify="right", min_width=3)
    grid.add_column(overflow="fold")
    for reason, number in reasons[:_MAX_REASONS]:
        grid.add_row(str(number), Text(reason))
    if rest := reasons[_MAX_REASONS:]:
        grid.add_row(str(sum(number for _, number in rest)), f"for {many(len(rest), 'other reason')}")
    return Padding(grid, (0, 0, 0, 2))


def _ending(run: Run, verdict: RunVerdict, directory: Path | None) -> Iterator[RenderableType]:
    if directory:
        yield Text()
        yield Text(f"Output of the tests is below {directory}", overflow="fold")
    if steps := words.next_steps(run, verdict):
        yield Text()
        yield Text("Next", style="bold")
        grid = Table.grid(padding=(0, 0, 0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for purpose, command in steps:
            grid.add_row(purpose, Text(command, style="cyan"))
        yield Padding(grid, (0, 0, 0, 2))


def _indented(text: Text, columns: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, columns), expand=False)


def _by_suite(verdict: RunVerdict) -> dict[tuple[str, str], Counts]:
    statuses: dict[tuple[str, str], list[Status]] = {}
    for each in verdict.tests:
        statuses.setdefault((each.test.suite, each.test.profile), []).append(each.outcome.status)
    return {key: Counts.of(values) for key, values in sorted(statuses.items())}


def _json_counts(counts: Counts) -> dict[str, JSON]:
    return {"planned": counts.total, "counts": {status.value: counts[status] for status in Status}}


def _json_arms(run: Run, verdict: RunVerdict) -> dict[str, JSON] | None:
    if not verdict.arm:
        return None
    arms = {"baseline": (verdict.arm.run, verdict.arm.counts), "dev": (run, verdict.counts)}
    kernels = described(*(each for each, _ in arms.values()))
    return {
        name: {"run": each.id, "lab": each.lab, "state": each.state.value, "kernel": kernel, **_json_counts(counts)}
        for (name, (each, counts)), kernel in zip(arms.items(), kernels, strict=True)
    }


def _json_test(judged: Judged, arm: Arm | None) -> dict[str, JSON]:
    outcome, before = judged.outcome, judged.before
    beside = arm.outcomes.get(judged.test) if arm else None
    return {
        "suite": judged.test.suite,
        "profile": judged.test.profile,
        "name": judged.test.name,
        "verdict": judged.verdict.value,
        "status": outcome.status.value,
        "baseline_status": beside.status.value if beside else None,
        "was": {status.value: n for status, n in before.counts.counts.items()}
        if before and not before.expunged
        else None,
        "expunged": bool(before and before.expunged),
        "note": clean(before.note) if before else "",
        "seconds": outcome.seconds,
        "reason": clean(outcome.reason),
        "guest": clean(outcome.guest),
        "output": clean(outcome.output),
        "oops": words.oops_title(outcome.oops),
        "reports": [
            {
                "kind": each.report.kind,
                "signature": each.signature,
                "title": clean(each.report.title),
                "gates": each.report.gates,
                "known": each.known,
                "said": label_of(each, outcome.status),
            }
            for each in judged.complaints
        ],
        "reports_cut": outcome.reports_cut,
    }
