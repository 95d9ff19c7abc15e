"""`kdevops baseline accept` and `diff`: the results of a run become known."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.baselines.baseline import Baseline
    from kdevops.results.baselines.entry import Entry
    from kdevops.results.store import Run, Store
    from kdevops.run.accepting import Accepting

_number = click.argument("number", metavar="[RUN]", type=int, required=False)
_only = click.option("--only", metavar="GLOB", multiple=True, help="Only tests whose names fit; repeatable.")


@click.command(short_help="Accept the results of RUN as expected.")
@_number
@_only
@click.option("--replace", is_flag=True, help="What other runs had of these tests counts no longer.")
@json_option
@common_options
@pass_context
def accept(context: Context, number: int | None, *, only: tuple[str, ...], replace: bool) -> None:
    """Accept the results of RUN (default: the last) as expected, and add them to the baseline of its lab.

    Kernel reports of the run are known from then on, under any test. A run counts once, however often, by whomever and in
    whatever selections it is accepted.
    """
    from kdevops.paths import state_dir
    from kdevops.results.baselines.writing import locked, write
    from kdevops.results.store import Store
    from kdevops.run.accepting import accepting, directory_of
    from kdevops.run.evidence import keep_evidence

    written: tuple[Path, ...] = ()
    after = None
    with Store(state_dir()) as store:
        run = _run(store, number)
        found = accepting(store, run, only=only, replace=replace)  # before anything is made
        if found.change.texts:
            if found.shipped and "imported" not in run.record:
                raise UserError(
                    f"{run.record['baseline']} is shipped with kdevops, and an update would overwrite changes there",
                    hint="copy the lab to your own directory, or set `baseline` in the lab file to one",
                )
            asyncio.run(keep_evidence(store, run.id))  # what is accepted now must not excuse the run itself
            with locked(directory_of(run)):  # and looked at again: another one may have accepted something
                found = accepting(store, run, only=only, replace=replace)
                after = found.after()  # what could not be read is not written
                written = write(found.directory, found.change.texts)
            if found.shipped:  # from now on the run is compared with the baseline it was accepted into
                store.update_record(run.id, {"baseline": str(found.directory)})
    lines = [f"{path} written" for path in written]
    if written and after:
        lines += _learned(found.before, after)
        lines += _see(found.directory / found.before.series)
    context.emit({"run": run.id, "written": [str(path) for path in written]}, lines or [_nothing(run, found)])


@click.command(short_help="Show what `accept` would change.")
@_number
@_only
@click.option("--replace", is_flag=True, help="As with accept.")
@json_option
@common_options
@pass_context
def diff(context: Context, number: int | None, *, only: tuple[str, ...], replace: bool) -> None:
    """Show what `accept` would change: what was known of each test that does not simply pass, and what would be."""
    from kdevops.paths import state_dir
    from kdevops.results.store import Store
    from kdevops.run.accepting import accepting

    with Store(state_dir()) as store:
        run = _run(store, number)
        found = accepting(store, run, only=only, replace=replace)
    lines = _difference(found.before, found.after()) if found.change.texts else []
    nothing = f"nothing would change: {_nothing(run, found)}"
    context.emit({"run": run.id, "diff": lines}, lines or [nothing])


def _run(store: Store, number: int | None) -> Run:
    if number is not None:
        return store.run(number)
    if run := store.last_ended():
        return run
    raise UserError("there is no finished run to accept", hint="run the tests first: kdevops run")


def _nothing(run: Run, found: Accepting) -> str:
    if not found.keys:
        return f"run {run.id} has no results: nothing to accept"
    return f"run {run.id} was accepted already into {found.directory}"


def _difference(before: Baseline, after: Baseline) -> list[str]:
    """The lines of tests of which more is known than that they pass, before and after, below their suite and profile."""
    from kdevops.report.counting import many
    from kdevops.results.baselines.overview import lines_of, passes_simply

    lines: list[str] = []
    for key, table in sorted(after.tables.items()):
        old, changed, simple = before.tables.get(key), [], 0
        for name, entry in sorted(table.entries.items()):
            was = old.entries.get(name) if old else None
            if was == entry:
                continue
            if passes_simply(entry) and (was is None or passes_simply(was)):
                simple += 1
                continue
            lines_before, lines_after = lines_of(name, was) if was else [], lines_of(name, entry)
            changed += [f"-{line}" for line in lines_before if line not in lines_after]
            changed += [f"+{line}" for line in lines_after if line not in lines_before]
        if changed or simple:
            lines += [f"{after.series} {'/'.join(key)}", *changed]
            lines += [f" {many(simple, 'more test')} passed, or only skipped"] if simple else []
    reports = sorted(after.reports.notes.keys() - before.reports.notes.keys())
    return [*lines, *([f"{after.series} kernel reports"] if reports else []), *(f"+{each}" for each in reports)]


def _learned(before: Baseline, after: Baseline) -> list[str]:
    """How many ways in which tests go bad are known now and were not, and of which tests there are too many."""
    from kdevops.report.counting import many
    from kdevops.results.baselines.entry import MAX_SYMPTOMS
    from kdevops.results.model import TestId
    from kdevops.text import clean

    def was(key: tuple[str, str], name: str) -> Entry | None:
        table = before.tables.get(key)
        return table.entry(name) if table else None

    new, cut = 0, []
    for key, table in after.tables.items():
        for name, entry in table.entries.items():
            known = was(key, name)
            new += len(entry.symptoms.keys() - (known.symptoms.keys() if known else ()))
            if entry.symptoms_cut > (known.symptoms_cut if known else 0):
                ways = f"{many(entry.symptoms_cut, 'way')} to go bad beyond the {MAX_SYMPTOMS} that are kept"
                cut.append(clean(f"{TestId(*key, name)}: {ways}"))
    return [*([f"known from now on: {many(new, 'new way')} to go bad"] if new else []), *cut]


def _see(directory: Path) -> list[str]:
    """The command that shows what was written; git diff ignores new files before `add -N`."""
    if not any((parent / ".git").exists() for parent in directory.absolute().parents):
        return []
    name = shlex.quote(os.path.relpath(directory))
    return [f"see: git add -N {name} && git diff {name}"]
