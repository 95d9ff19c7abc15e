"""`kdevops baseline`: known test results, kept as text in git."""

from __future__ import annotations

import asyncio
import difflib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import Context, common_options, json_option, lab_verb, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.baseline import Baseline
    from kdevops.results.store import Run

_number = click.argument("number", metavar="[RUN]", type=int, required=False)


@click.group()
def baseline() -> None:
    """Show, accept and compare stored baselines."""


@baseline.command()
@lab_verb
def show(context: Context) -> None:
    """List the baseline of LAB."""
    from kdevops.report.counting import many
    from kdevops.report.words import NO_SERIES
    from kdevops.results import allowed_reports, reports
    from kdevops.results.baseline import series_in
    from kdevops.results.baseline_text import escape, symptom_lines
    from kdevops.results.files import Files
    from kdevops.text import clean

    directory = context.lab().baseline
    found, ignored = series_in(Files(directory))
    loaded = [_load(directory, series) for series in found]
    tables = [
        (each.series, *key, table)
        for each in loaded
        for key, table in sorted(each.tables.items())
        if table.series == each.series
    ]
    known = [each.reports for each in loaded if each.reports.series == each.series and each.reports.notes]
    allowed = allowed_reports.load(directory).entries
    lines = [str(directory) + ("" if tables or known or allowed else ": nothing yet")]
    data: list[dict[str, Any]] = []
    for series, suite, profile, table in tables:
        data += [
            {"series": series, "suite": suite, "profile": profile, "test": name}
            | {
                "counts": {status.value: count for status, count in entry.counts.counts.items()},
                "seconds": entry.seconds,
                "symptoms": {symptom: seen.times for symptom, seen in entry.symptoms.items()},
                "symptoms_cut": entry.symptoms_cut,
            }
            for name, entry in table.entries.items()
        ]
        lines.append(clean(f"{series}/{suite}/{profile}: {len(table.entries)} tests"))
        for name, entry in table.entries.items():
            counts = " ".join(f"{status}={count}" for status, count in entry.counts.counts.items())
            lines += [f"  {escape(name)}  {counts}", *(f"  {line}" for line in symptom_lines(name, entry))]
    for each in known:
        data += [{"series": each.series, "report": name, "note": note} for name, note in sorted(each.notes.items())]
        lines.append(f"{each.series}: {many(len(each.notes), 'kernel report')}")
        lines += [f"  {line}" for line in reports.lines_of(each)]
    data += [{"allowed": dict(allowed_reports.facts(each))} for each in allowed]
    lines += [f"allowed: {clean(each.pattern)} ({each})" for each in allowed]
    if ignored:
        lines.append(f"not read, {NO_SERIES}: {', '.join(ignored)}")
    context.emit(data, lines)


@baseline.command(short_help="Accept the results of RUN as expected.")
@_number
@click.option("--replace", is_flag=True, help="Replace the old counts of the tests that ran instead of adding to them.")
@json_option
@common_options
@pass_context
def accept(context: Context, number: int | None, *, replace: bool) -> None:
    """Accept the results of RUN (default: the last) as expected, and add them to the lab's baseline.

    Kernel reports of the run are known from then on, under any test. Accepting the same run again changes nothing.
    """
    from kdevops.results import accepted, baseline

    run = _run(number)
    change = _change(run, replace=replace)
    written: list[Path] = []
    if change.again:
        lines = [change.again]
    elif not change.ran:
        lines = [f"run {run.id} has no results: nothing to accept"]
    else:
        if change.shipped and "imported" not in run.record:
            raise UserError(
                f"{run.record['baseline']} is shipped with kdevops, and an update would overwrite changes there",
                hint="copy the lab to your own directory, or set `baseline` in the lab file to one",
            )
        _keep_verdict(run)
        noted = (change.directory, change.after.series, change.mark, run)
        if not replace:
            accepted.begin(*noted)
        written = list(baseline.save(change.directory, change.after))
        accepted.finish(*noted)
        if change.shipped:  # from now on the run is compared with the baseline it was accepted into
            _belongs(run, change.directory)
        lines = [f"{path} written" for path in written] or ["the baseline already contains all of that"]
        lines += _learned(change.before, change.after)
        lines += _see(change.directory / change.after.series)
    context.emit({"run": run.id, "written": [str(path) for path in written]}, lines)


@baseline.command()
@_number
@click.option("--replace", is_flag=True, help="As with accept.")
@json_option
@common_options
@pass_context
def diff(context: Context, number: int | None, *, replace: bool) -> None:
    """Show what `accept` would change."""
    from kdevops.results import reports
    from kdevops.results.baseline import file_of
    from kdevops.results.baseline_text import format_table

    run = _run(number)
    change = _change(run, replace=replace)
    lines: list[str] = []
    for (suite, profile), table in [] if change.again else sorted(change.after.tables.items()):
        path = file_of(change.directory, change.after.series, suite, profile)
        old = change.before.tables.get((suite, profile))
        known = format_table(old).splitlines() if old and old.series == change.after.series else []
        lines += difflib.unified_diff(known, format_table(table).splitlines(), str(path), str(path), lineterm="", n=0)
    if not change.again and change.after.reports.series == change.after.series:
        path = reports.file_of(change.directory, change.after.series)
        old_reports = change.before.reports
        known = reports.format_reports(old_reports).splitlines() if old_reports.series == change.after.series else []
        new = reports.format_reports(change.after.reports).splitlines()
        lines += difflib.unified_diff(known, new, str(path), str(path), lineterm="", n=0)
    nothing = f"nothing would change: {change.again}" if change.again else "nothing would change"
    context.emit({"run": run.id, "diff": lines}, lines or [nothing])


@dataclass(frozen=True, slots=True)
class _Change:
    """The effect of accepting a run. `again`: why it would add nothing, or ""; `ran`: whether the run has results.

    `shipped`: the run's own baseline is the one shipped with kdevops; `directory` is then ./baselines/.
    """

    directory: Path
    shipped: bool
    before: Baseline
    after: Baseline
    mark: str
    ran: bool
    again: str


def _learned(before: Baseline, after: Baseline) -> list[str]:
    """How many ways in which tests go bad are known now and were not, and of which tests there are too many."""
    from kdevops.report.counting import many
    from kdevops.results.entry import MAX_SYMPTOMS
    from kdevops.results.model import TestId
    from kdevops.text import clean

    new, cut = 0, []
    for key, table in after.tables.items():
        old = before.tables.get(key)
        for name, entry in table.entries.items():
            was = old.entries.get(name) if old else None
            new += len(entry.symptoms.keys() - (was.symptoms.keys() if was else ()))
            if entry.symptoms_cut > (was.symptoms_cut if was else 0):
                ways = f"{many(entry.symptoms_cut, 'way')} to go bad beyond the {MAX_SYMPTOMS} that are kept"
                cut.append(clean(f"{TestId(*key, name)}: {ways}"))
    return [*([f"known from now on: {many(new, 'new way')} to go bad"] if new else []), *cut]


def _load(directory: Path, series: str) -> Baseline:
    from kdevops.results import baseline as files

    return files.load(directory, series)


def _run(number: int | None) -> Run:
    from kdevops.paths import state_dir
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        if number is not None:
            return store.run(number)
        if run := store.last_ended():
            return run
    raise UserError("there is no finished run to accept", hint="kdevops run makes one")


def _change(run: Run, *, replace: bool) -> _Change:
    """The baseline of a run, before and after accepting the run."""
    from kdevops.paths import state_dir
    from kdevops.results import accepted
    from kdevops.results.allowed_reports import day_of
    from kdevops.results.baseline import Mode, accept, series_of
    from kdevops.results.complaints import STRAY_REPORTS
    from kdevops.results.model import Status
    from kdevops.results.reruns import SIDE, Side
    from kdevops.results.store import Store
    from kdevops.run.plan.absent import gone_since
    from kdevops.run.plan.known import left_out
    from kdevops.run.plan.record import kernel_release

    if run.decides is not None:
        raise UserError(
            f"run {run.id} helps to decide run {run.decides}: it has only tests that were selected for failing",
            hint=f"accept the run itself: kdevops baseline accept {run.decides}",
        )
    if not run.ended:
        raise UserError(f"run {run.id} is not finished", hint=f"continue it with: kdevops resume {run.id}")
    source = Path(run.record["baseline"])
    here = Path("baselines").absolute()
    shipped = _is_shipped(source)
    directory = here if shipped else source
    before = _load(here if shipped and here.exists() else source, series_of(kernel_release(run)))
    with Store(state_dir()) as store:
        outcomes = store.outcomes(run.id)
        reruns = [each for each in store.deciding(run.id) if each.record[SIDE] == Side.NOW]
        again = [{test: end for test, end in store.outcomes(each.id).items() if end.status.ran} for each in reruns]
    mark = accepted.mark_of(run, outcomes)
    strays = [stray for each in (run, *reruns) for stray in each.record.get(STRAY_REPORTS, ())]
    gone = gone_since(run, outcomes, before)
    skipped = left_out(run, outcomes)  # excluded by us, which says nothing about the tests
    outcomes = {test: outcome for test, outcome in outcomes.items() if test not in skipped}
    mode = Mode.REPLACE if replace else Mode.MERGE
    return _Change(
        directory,
        shipped,
        before,
        accept(before, outcomes, mode=mode, gone=gone, strays=strays, again=again, today=day_of(run)),
        mark,
        any(outcome.status is not Status.MISSING for outcome in outcomes.values()),
        "" if replace else _again(run, directory, before.series, mark),
    )


def _is_shipped(directory: Path) -> bool:
    """Whether `directory` is shipped with kdevops and the current directory is not in the same checkout."""
    from kdevops import paths

    shipped = paths.data_dir("baselines")
    return directory.is_relative_to(shipped) and not Path.cwd().is_relative_to(shipped.parent)


def _keep_verdict(run: Run) -> None:
    """Keep the baseline by which the run is judged, if nobody did: what is accepted now must not excuse it."""
    from kdevops.paths import state_dir
    from kdevops.results.store import Store
    from kdevops.run.evidence import keep_evidence

    with Store(state_dir()) as store:
        asyncio.run(keep_evidence(store, run.id))


def _belongs(run: Run, directory: Path) -> None:
    from kdevops.paths import state_dir
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        store.update_record(run.id, {"baseline": str(directory)})


def _again(run: Run, directory: Path, series: str, mark: str) -> str:
    """Why the run must not be added to the baseline again, or "" if it is not in it.

    Raises UserError if kdevops was killed while adding it.
    """
    from kdevops.results.accepted import Accepted, file_of, known

    path = file_of(directory, series)
    match known(directory, series, mark):
        case Accepted.YES:
            return f"run {run.id} was accepted already ({path} has it as {mark})"
        case Accepted.BEGUN:
            raise UserError(
                f"accepting run {run.id} was interrupted: its counts may be in only some files of {path.parent}",
                hint=f"restore them with git and remove the line {mark} from {path.name}, or accept with --replace",
            )
        case _:
            return ""


def _see(directory: Path) -> list[str]:
    """The command that shows what was written; git diff ignores new files before `add -N`."""
    if not any((parent / ".git").exists() for parent in directory.absolute().parents):
        return []
    name = shlex.quote(os.path.relpath(directory))
    return [f"see: git add -N {name} && git diff {name}"]
