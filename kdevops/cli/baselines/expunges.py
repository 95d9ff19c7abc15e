"""`kdevops baseline import` and `export`: other people's lists of known failures, and ours for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.baselines.where import directory_of, where_argument
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from datetime import date

    from kdevops.results.expunges.counts import Counted
    from kdevops.results.expunges.importing import Imported

_MAX_NAMED = 5
_kernel = click.option(
    "--kernel",
    metavar="RELEASE",
    default="",
    help="Export only the counts for this release, under its name; default: all counts, by series.",
)


@click.command("import", short_help="Take the expunge lists in TREE into a baseline.")
@click.argument("tree", metavar="TREE", type=click.Path(path_type=Path))
@where_argument
@json_option
@common_options
@pass_context
def import_(context: Context, tree: Path, *, where: Path | None) -> None:
    """Take the expunge lists in TREE into BASELINE, a directory or a lab file. TREE is not changed.

    TREE is a directory of lists of fstests or blktests as upstream kdevops has them, its whole checkout, or what `export`
    has written. All lines are kept, with their notes; of those that are there already, nothing changes.
    """
    from kdevops.paths import data_dir
    from kdevops.results.expunges.importing import import_trees

    baseline = directory_of(where)
    if baseline == data_dir("baselines"):
        raise UserError(
            f"{baseline} is shipped with kdevops, and an update would overwrite changes there",
            hint="name the directory of your own baseline, or a lab file of yours",
        )
    done = import_trees(tree, baseline)
    facts = [
        {
            "suite": each.found.suite,
            "known": each.found.tree.entries,
            "notes": each.found.tree.notes,
            "lists": len(each.found.tree.lists),
            "links": len(each.found.tree.links),
            "left_out": each.found.left_out,
            "directory": str(each.place),
            "written": asdict(each.written),
        }
        for each in done
    ]
    context.emit(facts, [line for each in done for line in _lines(each)])


@click.command(short_help="Write a baseline as expunge lists into DIR.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@where_argument
@_kernel
@json_option
@common_options
@pass_context
def export(context: Context, directory: Path, *, where: Path | None, kernel: str) -> None:
    """Write the expunge lists of BASELINE, a directory or a lab file, into DIR, and its own counts as such lists.

    Own counts are those of this machine's architecture without a variant such as KASAN. If DIR is a checkout of upstream
    kdevops, the lists are put where it has them. Lines that are there already stay.
    """
    from datetime import UTC, datetime

    from kdevops.report.counting import many
    from kdevops.results.expunges.exporting import export_trees
    from kdevops.suites.registry import kind_of_tests
    from kdevops.suites.shared.grouping import check_release

    check_release(kernel)
    baseline = directory_of(where)
    today = datetime.now(UTC).date()
    counted = list(_counted(baseline, kernel, today))
    kinds = {each.suite: kind_of_tests(each.suite) for each in counted}
    done = export_trees(
        baseline,
        counted,
        lambda suite, profile: kind.expunge_list(profile) if (kind := kinds[suite]) else None,
        directory.absolute(),
        kernel=kernel,
        today=today,
    )
    facts = [
        {
            "suite": each.suite,
            "known": each.entries,
            "own": each.own,
            "directory": str(each.place),
            "written": asdict(each.written),
        }
        for each in done
    ]
    lines = [
        f"{each.place}: {many(each.entries, 'known failure')} of {each.suite}, of which {each.own} are counts of {baseline}"
        + ("" if each.written else "; nothing is new")
        for each in done
    ]
    context.emit(facts, lines or [f"{baseline} knows of no failures of suites that have such lists"])


def _counted(directory: Path, kernel: str, today: date) -> Iterator[Counted]:
    """What the baseline has counted itself, by its directories of kernels, or what it knows of the series of a kernel."""
    from kdevops.results.baselines.baseline import kernels_in, load
    from kdevops.results.baselines.conditions import Conditions
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.tables import read_tables
    from kdevops.results.expunges.counts import Counted

    files = Files(directory)
    if kernel:
        known = load(files, kernel, today=today)
        found = [(key, table) for key, table in known.tables.items() if known.is_of_series(table)]
    else:
        found = [
            each for name in kernels_in(files)[0] for each in read_tables(files, [name], Conditions(), today).items()
        ]
    for (suite, profile), table in found:
        yield Counted(table.series, suite, profile, table.entries)


def _lines(each: Imported) -> list[str]:
    from kdevops.report.counting import many
    from kdevops.text import ELLIPSIS

    tree, wrote, left_out = each.found.tree, each.written, each.found.left_out
    what = f"{each.found.suite}: {many(tree.entries, 'known failure')} in {many(len(tree.lists), 'list')}"
    news = (
        f"{wrote.lists} new lists, {wrote.links} new links, {wrote.changed} with new lines"
        if wrote
        else "nothing is new"
    )
    lines = [f"{what}: {news} in {each.place}"]
    if left_out:
        named = ", ".join(left_out[:_MAX_NAMED]) + (f", {ELLIPSIS}" if len(left_out) > _MAX_NAMED else "")
        lines.append(f"  left out, because not lists: {named}")
    return lines
