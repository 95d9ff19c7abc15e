"""`kdevops baseline`: what is known of tests, kept as text in git."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, lab_argument, pass_context, set_option
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.baseline import Baseline
    from kdevops.results.store import Run

_number = click.argument("number", metavar="[RUN]", type=int, required=False)


@click.group()
def baseline() -> None:
    """Show, accept and compare stored baselines."""


@baseline.command()
@lab_argument
@set_option
@json_option
@common_options
@pass_context
def show(context: Context) -> None:
    """List what the baseline of LAB knows."""
    from kdevops.results.baseline import escape

    directory = context.lab().baseline
    files = sorted(directory.glob("*/*/*.txt"))
    lines = [str(directory) + ("" if files else ": nothing yet")]
    data = []
    for path in files:
        series, suite = path.parent.parent.name, path.parent.name
        table = _load(directory, series).tables[(suite, path.stem)]
        data += [
            {"series": series, "suite": suite, "profile": path.stem, "test": name}
            | {
                "counts": {status.value: count for status, count in entry.counts.counts.items()},
                "seconds": entry.seconds,
            }
            for name, entry in table.entries.items()
        ]
        lines.append(f"{series}/{suite}/{path.stem}: {len(table.entries)} tests")
        lines += [
            f"  {escape(name)}  " + " ".join(f"{status}={count}" for status, count in entry.counts.counts.items())
            for name, entry in table.entries.items()
        ]
    context.emit(data, lines)


@baseline.command(short_help="Take what RUN did as what is to be expected.")
@_number
@click.option("--replace", is_flag=True, help="Forget the old counts of the tests that ran, instead of adding to them.")
@json_option
@common_options
@pass_context
def accept(context: Context, number: int | None, *, replace: bool) -> None:
    """Take what RUN (default: the last) did as what is to be expected, and write it into the lab's baseline."""
    from kdevops.results.baseline import save

    run = _run(number)
    directory, _, after = _accepted(run, replace=replace)
    changed = save(directory, after)
    said = [f"{path} written; see: git diff {path.parent}" for path in changed] or [
        "the baseline says all of that already"
    ]
    context.emit({"run": run.id, "written": [str(path) for path in changed]}, said)


@baseline.command()
@_number
@click.option("--replace", is_flag=True, help="As with accept.")
@json_option
@common_options
@pass_context
def diff(context: Context, number: int | None, *, replace: bool) -> None:
    """Show what `accept` would change."""
    from kdevops.results.baseline import file_of, format_table

    run = _run(number)
    directory, before, after = _accepted(run, replace=replace)
    lines: list[str] = []
    for (suite, profile), table in sorted(after.tables.items()):
        path = file_of(directory, after.series, suite, profile)
        old = before.tables.get((suite, profile))
        known = format_table(old).splitlines() if old and old.series == after.series else []
        lines += difflib.unified_diff(known, format_table(table).splitlines(), str(path), str(path), lineterm="", n=0)
    context.emit({"run": run.id, "diff": lines}, lines or ["nothing would change"])


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


def _accepted(run: Run, *, replace: bool) -> tuple[Path, Baseline, Baseline]:
    """Where the baseline of a run lies, what it says, and what it would say with the run accepted."""
    from kdevops.paths import state_dir
    from kdevops.results.baseline import Mode, series_of
    from kdevops.results.baseline import accept as accepted
    from kdevops.results.store import Store
    from kdevops.run.known import left_out
    from kdevops.run.record import kernel_release

    if not run.ended:
        raise UserError(f"run {run.id} is not finished", hint="go on with it: kdevops resume")
    directory = Path(run.record["baseline"])
    before = _load(directory, series_of(kernel_release(run)))
    with Store(state_dir()) as store:
        outcomes = store.outcomes(run.id)
    skipped = left_out(run, outcomes)  # by us: that says nothing about the tests
    outcomes = {test: outcome for test, outcome in outcomes.items() if test not in skipped}
    return directory, before, accepted(before, outcomes, mode=Mode.REPLACE if replace else Mode.MERGE)
