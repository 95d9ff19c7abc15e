"""`kdevops baseline show`: what is known of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.baselines.where import directory_of, where_argument
from kdevops.cli.options import Context, common_options, json_option, pass_context

if TYPE_CHECKING:
    from kdevops.results.baselines.entry import Entry
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.overview import Known


@click.command(short_help="Show what is known of tests.")
@where_argument
@click.option("--only", metavar="GLOB", multiple=True, help="Only tests whose names fit; repeatable.")
@click.option("--kernel", metavar="NAME", help="Only what is in this directory of a kernel or series, such as 6.1.")
@click.option("--all", "everything", is_flag=True, help="List also tests that simply pass or skip.")
@json_option
@common_options
@pass_context
def show(context: Context, where: Path | None, *, only: tuple[str, ...], kernel: str | None, everything: bool) -> None:
    """List what BASELINE knows: a directory, or a lab; by default that of lab.yaml here, else ./baselines.

    Tests that always passed, or were only skipped, are counted, and not listed.
    """
    from kdevops.report.words import NO_SERIES
    from kdevops.results.baselines import allowed_reports
    from kdevops.results.baselines.baseline import kernels_in
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.overview import overview
    from kdevops.results.names import fits
    from kdevops.text import clean

    directory = directory_of(where)
    files = Files(directory)
    kernels, ignored = kernels_in(files)
    lines, data = [], []
    for known in overview(files):
        if kernel is None or known.folder.kernel == kernel:
            chosen = known.matching(lambda test: not only or any(fits(test, pattern) for pattern in only))
            data += [entry_json(known, name, entry) for name, entry in chosen.items()]
            lines += _lines(known, chosen, everything=everything)
    if not only:
        more, facts = _reports(files, [each for each in kernels if kernel in (None, each)])
        lines, data = lines + more, data + facts
        if kernel is None:
            lines += _expunges(directory)
        allowed = allowed_reports.load(directory).entries
        data += [{"allowed": dict(allowed_reports.facts(each))} for each in allowed]
        lines += [f"allowed: {clean(each.pattern)} ({each})" for each in allowed]
    lines = [str(directory) + ("" if lines else ": nothing yet"), *lines]
    if ignored:
        lines.append(f"not read, {NO_SERIES}: {', '.join(ignored)}")
    context.emit(data, lines)


def _lines(known: Known, chosen: Mapping[str, Entry], *, everything: bool) -> list[str]:
    from kdevops.report.counting import many
    from kdevops.results.baselines.counted import UNTOLD
    from kdevops.results.baselines.overview import lines_of, passes_simply
    from kdevops.text import clean

    told = {name: entry for name, entry in chosen.items() if everything or not passes_simply(entry)}
    runs = many(len(known.table.runs), "run") + (" or more" if UNTOLD in known.table.runs.values() else "")
    listed = "" if len(told) == len(chosen) else f"; {many(len(chosen) - len(told), 'test')} passed or skipped"
    head = clean(f"{known.folder}: {many(len(chosen), 'test')} in {runs}{listed}")
    return [head, *(f"  {line}" for name, entry in told.items() for line in lines_of(name, entry))] if chosen else []


def entry_json(known: Known, name: str, entry: Entry) -> dict[str, Any]:
    """What is known of a test in one place, for programs."""
    folder = known.folder
    return {
        "series": folder.kernel,
        "conditions": folder.conditions,
        "suite": folder.suite,
        "suite_series": folder.suite_series,
        "profile": folder.profile,
        "test": name,
        "counts": {status.value: count for status, count in entry.counts.counts.items()},
        "seconds": known.table.seconds.get(name),
        "note": entry.note,
        "until": entry.until.isoformat() if entry.until else None,
        "symptoms": {symptom: seen.times for symptom, seen in entry.symptoms.items()},
        "symptoms_cut": entry.symptoms_cut,
    }


def _expunges(directory: Path) -> list[str]:
    from kdevops.report.counting import many
    from kdevops.results.expunges.reading import of_baseline

    return [
        f"expunge lists of {each.suite}: {many(each.tree.entries, 'known failure')} in {many(len(each.tree.lists), 'list')}"
        for each in of_baseline(directory)
    ]


def _reports(files: Files, kernels: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    from kdevops.report.counting import many
    from kdevops.results.baselines import reports

    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for kernel in kernels:
        known = reports.load(files, [kernel])
        if known.notes:
            data += [{"series": kernel, "report": name, "note": note} for name, note in sorted(known.notes.items())]
            lines.append(f"{kernel}: {many(len(known.notes), 'kernel report')}")
            lines += [f"  {line}" for line in reports.lines_of(known)]
    return lines, data
