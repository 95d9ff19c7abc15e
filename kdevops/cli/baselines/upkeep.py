"""`kdevops baseline prune`, `compact` and `migrate`: a baseline is kept small and in the form of today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from kdevops.cli.baselines.where import directory_of, where_argument
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

PASSES = 10
"""Passes since the last failure after which it is proposed to forget that."""


@click.command(short_help="Propose known failures that need not be known any longer.")
@where_argument
@click.option(
    "--passes",
    metavar="N",
    type=click.IntRange(min=1),
    default=PASSES,
    show_default=True,
    help="Propose tests that passed N times since they last went bad.",
)
@click.option("--only", metavar="GLOB", multiple=True, help="Only tests whose names fit; repeatable.")
@click.option("-y", "--yes", is_flag=True, help="Forget what is proposed.")
@json_option
@common_options
@pass_context
def prune(context: Context, where: Path | None, *, passes: int, only: tuple[str, ...], yes: bool) -> None:
    """Propose failures in BASELINE that need not be known: those whose note has ended, and those that were fixed long ago.

    With --yes they are forgotten: the same test failing again is then a failure that nobody knows. Its passes still count.
    """
    from datetime import UTC, datetime

    from kdevops.report.counting import many
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.layout import Texts
    from kdevops.results.baselines.pruning import forgetting, proposals
    from kdevops.results.baselines.writing import locked, write
    from kdevops.results.model import TestId
    from kdevops.results.names import fits
    from kdevops.text import clean

    directory, today = directory_of(where), datetime.now(UTC).date()
    with locked(directory):
        files = Files(directory)
        found = [
            (place, each)
            for place, several in proposals(files, passes=passes, today=today)
            for each in several
            if not only or any(fits(TestId(*each.folder.key, each.test), pattern) for pattern in only)
        ]
        texts: Texts = {}
        for place in {place.folder: place for place, _ in found}.values() if yes else ():
            tests = [each.test for of, each in found if of.folder == place.folder]
            texts |= forgetting(files, place, tests, today)
        written = write(directory, texts)
    lines = [clean(f"{each.folder} {each.test}: {each.why}") for _, each in found]
    if not found:
        lines = ["nothing to prune"]
    elif not yes:
        lines.append(f"forget {many(len(found), 'test')} that way: the same with --yes")
    data = [{"where": str(each.folder), "test": each.test, "why": each.why, "forgotten": yes} for _, each in found]
    context.emit(data, [*lines, *_written(written)])


@click.command(short_help="Put the counts of several runs into one file.")
@where_argument
@json_option
@common_options
@pass_context
def compact(context: Context, where: Path | None) -> None:
    """Put the counts of all runs of a suite and profile of BASELINE into one file, which names these runs.

    What is known stays the same, and a run that is in it is still not counted again. If two people compact other runs on
    their branches, the merge is refused when it is read: let one of them do it.
    """
    from kdevops.results.baselines.compaction import compacting
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.tables import all_places
    from kdevops.results.baselines.writing import locked, write

    directory = directory_of(where)
    written: list[Path] = []
    with locked(directory):
        files = Files(directory)
        for found in [compacting(files, place) for place in all_places(files)]:
            if found:
                written += write(directory, found[0], instead_of=found[1])
    context.emit({"written": [str(path) for path in written]}, _written(written) or ["nothing to compact"])


@click.command(short_help="Rewrite the tables of an older kdevops in the form of today.")
@where_argument
@click.option("--machine", metavar="NAME", help="The machine that the tests ran on; default: one like this.")
@click.option(
    "--variant", metavar="NAME", default="", help="The kernel's variant, such as kasan+lockdep; default: none."
)
@click.option(
    "--suite-series",
    metavar="SUITE=SERIES",
    multiple=True,
    help="The series of a suite, such as fstests=2026; repeatable.",
)
@json_option
@common_options
@pass_context
def migrate(
    context: Context, where: Path | None, *, machine: str | None, variant: str, suite_series: tuple[str, ...]
) -> None:
    """Rewrite the tables of an older kdevops in BASELINE in the form of today, which git merges. Nothing is lost.

    Such tables do not say under which conditions the tests ran: give those. Until then they hold for all.
    """
    import platform
    from pathlib import PurePosixPath

    from kdevops.results.baselines.conditions import Conditions
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.layout import ATTRIBUTES, ATTRIBUTES_TEXT
    from kdevops.results.baselines.migration import migrating
    from kdevops.results.baselines.writing import locked, write

    directory = directory_of(where)
    suites = dict(_pair(each) for each in suite_series)
    with locked(directory):
        texts, old = migrating(Files(directory), Conditions(machine or platform.machine(), variant, suites))
        if texts:
            texts.setdefault(PurePosixPath(ATTRIBUTES), ATTRIBUTES_TEXT)
        written = write(directory, texts, instead_of=old)
    context.emit(
        {"written": [str(path) for path in written], "removed": [str(directory / name) for name in old]},
        _written(written) or ["nothing to migrate"],
    )


def _pair(text: str) -> tuple[str, str]:
    suite, equals, series = text.partition("=")
    if not (suite and equals and series):
        raise UserError(f"--suite-series {text}: a suite and its series are needed", hint="write it as fstests=2026")
    return suite, series


def _written(paths: Sequence[Path]) -> list[str]:
    return [f"{path} written" for path in paths]
