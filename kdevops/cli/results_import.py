"""`kdevops results import`: store results that others produced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.bundle import import_bundle
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.suites.kind import Imported


@click.command("import", short_help="Import the results in DIR, or of a bundle, into the store.")
@click.option(
    "--bundle",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Import runs that `kdevops results export` wrote to FILE; without DIR and the other options.",
)
@click.option("--suite", metavar="NAME", help="The suite that made the results, if not fstests.")
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--lab", metavar="NAME", help="The lab name for the imported runs; default: imported.")
@click.option("--kernel", metavar="RELEASE", default="", help="The kernel that ran, if the results do not say so.")
@click.option(
    "--baseline",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Baseline to compare with; default: ./baselines/, else the one shipped with kdevops.",
)
@click.option(
    "--expunges",
    metavar="DIR",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Expunge lists of known failures, in addition to those in the baseline; repeatable.",
)
@json_option
@common_options
@pass_context
def import_(
    context: Context,
    directory: Path | None,
    *,
    bundle: Path | None,
    suite: str | None,
    lab: str | None,
    kernel: str,
    baseline: Path | None,
    expunges: tuple[Path, ...],
) -> None:
    """Import the results in DIR into the store, one run per kernel. DIR is not changed.

    For fstests, DIR is its RESULT_BASE, a section of it, or a result tree of upstream kdevops, kvm-xfstests or gce-xfstests.
    If only check.log is left, there is one run per kernel and day. Tests whose outcome is uncertain count as missing.
    Results that were imported before, from wherever, are not stored again.

    With --bundle, the runs are shown here as on the machine that exported them; they cannot be run again here.

    For --suite blktests, DIR is its directory of results; for --suite ltp, a JSON report of kirk or a directory of them.
    """
    if bundle is not None:
        if directory or suite or lab is not None or kernel or baseline or expunges:
            raise UserError("--bundle takes neither DIR nor other options: the file says it all", hint="leave them out")
        import_bundle(context, bundle)
        return
    if directory is None:
        raise UserError("nothing to import", hint="give a directory of results, or --bundle FILE")
    from kdevops.paths import data_dir, state_dir
    from kdevops.results.store import Store
    from kdevops.run.dirs import Dirs
    from kdevops.run.evidence import keep_evidence
    from kdevops.suites.registry import importer
    from kdevops.text import clean

    here = Path("baselines").absolute()
    compared = baseline.absolute() if baseline else here if here.is_dir() else data_dir("baselines")
    if not (name := clean("imported" if lab is None else lab)):
        raise UserError("--lab: a name cannot be empty")
    reads = importer(suite)
    if expunges and not reads.imports_expunges:
        raise UserError(f"--expunges: there are no expunge lists for {reads.name}")
    more = {"expunges": tuple(each.absolute() for each in expunges)} if expunges else {}
    with Store(state_dir()) as store:
        place = Dirs.default().run
        done = reads.import_results(directory, store, place, lab=name, kernel=kernel, baseline=compared, **more)
        for each in done:
            asyncio.run(keep_evidence(store, each.run))  # by which it is judged, whatever is accepted later
    context.emit([_fact(each) for each in done], [line for each in done for line in _lines(each)])


def _fact(each: Imported) -> dict[str, object]:
    from kdevops.results.model import Status

    return {
        "id": each.run,
        "already": each.already,
        "kernel": each.kernel,
        "profiles": each.profiles,
        "counts": {status.value: each.counts[status] for status in Status},
        "known": each.known,
        "notes": each.notes,
    }


def _lines(each: Imported) -> list[str]:
    from kdevops.results.model import Status
    from kdevops.text import clean

    what = f"{each.kernel}, {', '.join(each.profiles)}"
    if each.already:
        lines = [f"already imported as run {each.run}: {what}"]
    else:
        told = ", ".join(f"{each.counts[status]} {status}" for status in Status if each.counts[status])
        lines = [f"run {each.run}: {what}: {told}", *(f"  {clean(note)}" for note in each.notes)]
    if each.known is not None:
        lines.append(f"  known failures from the expunge lists: {each.known}")
    return [*lines, f"  see it: kdevops results {each.run}"]
