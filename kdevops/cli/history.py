"""`kdevops results history`: what became of a test over all runs."""

from __future__ import annotations

import click

from kdevops.cli.listing import check_lab
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

LIMIT = 20
"""Runs that are listed of a test if nobody asks for more."""
_MAX_TESTS = 50
"""Tests of which a line is printed where several match."""


@click.command(short_help="Show what became of a test over all runs.")
@click.argument("name", metavar="TEST")
@click.option("--lab", metavar="NAME", help="Only runs of this lab.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=LIMIT,
    show_default=True,
    help="List at most N results; 0 lists all.",
)
@json_option
@common_options
@pass_context
def history(context: Context, name: str, *, lab: str | None, limit: int) -> None:
    """Show when TEST passed last, where it began to fail, and how often it passes on each kernel.

    TEST is suite/profile/name or a part of it; several matches are listed, one per line. Each lab is told by itself. Reruns
    that decide on a failure count in the rates, and are not listed.
    """
    from kdevops.paths import state_dir
    from kdevops.report import history as report
    from kdevops.report.fitting import fitting, near
    from kdevops.results.history import histories
    from kdevops.results.model import TestId
    from kdevops.results.occurrences import known_tests, occurrences
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        if lab is not None:
            check_lab(store, lab)
        known = dict.fromkeys(known_tests(store))
        matching: dict[TestId, list[TestId]] = {}
        for test in fitting(name, known):
            matching.setdefault(test.plain, [])
        for test in known:
            if test.plain in matching:
                matching[test.plain].append(test)
        if not matching:
            raise UserError(
                f"no test {name}; {near(name, known)}", hint="list the tests of a run: kdevops results RUN --json"
            )
        told = list(matching)[:_MAX_TESTS]
        found = [(test, each) for test in told for each in histories(occurrences(store, matching[test], lab))]
    if not found:
        where = f" in lab {lab}" if lab else ""
        raise UserError(f"{told[0]}{' and others' if len(told) > 1 else ''}: no result yet{where}")
    whole = limit or max(len(each.events) for _, each in found)
    if len(matching) > 1:
        lines = [report.in_a_line(test, each) for test, each in found]
    else:
        lines = [line for test, each in found for line in (*report.in_full(test, each, whole), "")][:-1]
    context.emit([report.facts(test, each, whole) for test, each in found], lines)
    if more := len(matching) - len(told):
        click.echo(f"and {more} more tests match: give more of the name", err=True)
