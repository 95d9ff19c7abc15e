"""`kdevops results export` and the bundles of `kdevops results import`: runs as one file, for another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.amounts import size_told
from kdevops.cli.options import Context, common_options, json_option, pass_context

if TYPE_CHECKING:
    from kdevops.results.bundle.incoming import Taken
    from kdevops.results.store import Store


@click.command(short_help="Write runs to one file for another machine.")
@click.argument("numbers", metavar="RUN...", type=int, nargs=-1, required=True)
@click.option(
    "--bundle", "target", metavar="FILE", type=click.Path(path_type=Path), required=True, help="The file to write."
)
@json_option
@common_options
@pass_context
def export(context: Context, numbers: tuple[int, ...], *, target: Path) -> None:
    """Write RUNs to one file, for `kdevops results import --bundle FILE` on another machine.

    The file has all that is shown of a run: its results, kernel reports, journal and output, the baseline by which it was
    judged, the reruns that helped to decide its failures, and the run with which it is compared. Of its lab, it has neither
    the scripts nor how machines are reached; addresses lose their passwords. Output of tests is not searched for secrets.
    """
    from kdevops.paths import data_dir, state_dir
    from kdevops.results.bundle.outgoing import export as write
    from kdevops.results.store import Store
    from kdevops.run.dirs import Dirs

    ours = data_dir("baselines")
    with Store(state_dir()) as store:
        done = write(
            store, numbers, Dirs.default().run, lambda path: Path(path).is_relative_to(ours), target.absolute()
        )
        judged = [number for number in done.runs if store.evidence(number) or store.run(number).decides is not None]
    runs = "1 run" if len(done.runs) == 1 else f"{len(done.runs)} runs"
    lines = [f"{target}: {runs}, {done.files} files of output, {size_told(done.size)}"]
    if done.left_out:
        lines.append(f"left out: {done.left_out} links, devices, or files whose names cannot be printed")
    lines += [
        f"run {number} kept no baseline: it will be judged by that of the other machine"
        for number in done.runs
        if number not in judged
    ]
    data = {
        "bundle": str(target),
        "runs": done.runs,
        "files": done.files,
        "bytes": done.size,
        "left_out": done.left_out,
    }
    context.emit(data, lines)


def import_bundle(context: Context, path: Path) -> None:
    """Import the runs of a bundle. Raises UserError for a bundle that is damaged, or tries to do harm."""
    from kdevops.paths import data_dir, state_dir
    from kdevops.results.bundle.incoming import take_in
    from kdevops.results.store import Store
    from kdevops.run.dirs import Dirs

    def baseline(shipped: bool) -> Path:
        return data_dir("baselines") if shipped else Path("baselines").absolute()

    with Store(state_dir()) as store:
        done = take_in(path, store, Dirs.default().run, baseline, lambda number: _shown(store, number))
    context.emit([_fact(each) for each in done], [line for each in done for line in _lines(each)])


def _shown(store: Store, number: int) -> None:
    """Show a run to nobody, and keep its verdict for the list of runs: what its record says might make no sense."""
    from kdevops.report.mail import mail
    from kdevops.report.summary import summary_text
    from kdevops.report.summary_json import summary_json
    from kdevops.run.judging import judge, keep_in_short, trouble_behind
    from kdevops.run.plan.record import kernel_release

    run = store.run(number)
    verdict = judge(store, run)
    kernel = kernel_release(run)
    summary_json(run, verdict, kernel=kernel)
    summary_text(run, verdict, kernel=kernel)
    mail(run, verdict)
    trouble_behind(run, verdict)
    keep_in_short(store, run, verdict)


def _fact(each: Taken) -> dict[str, object]:
    return {"id": each.run, "lab": each.lab, "already": each.already, "tests": each.tests, "reruns": each.reruns}


def _lines(each: Taken) -> list[str]:
    if each.already:
        more = "; the bundle has more reruns of it, which are not taken" if each.more else ""
        return [f"already here as run {each.run} of lab {each.lab}{more}", f"  see it: kdevops results {each.run}"]
    again = f", {each.reruns} reruns" if each.reruns else ""
    return [f"run {each.run} of lab {each.lab}: {each.tests} tests{again}", f"  see it: kdevops results {each.run}"]
