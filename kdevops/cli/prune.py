"""`kdevops results prune`: remove runs for good that are old, or take too much room."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from kdevops.cli.amounts import Age, Size, size_told
from kdevops.cli.listing import check_lab
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import KdevopsError, UserError
from kdevops.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdevops.results.pruning import Limits, Proposal, Whole
    from kdevops.results.store import Store

_MAX_TOLD = 50
"""Runs that are listed by themselves."""
_WORTH_IT = 1 << 20
"""Free bytes in the store for which it is written anew."""


@click.command(short_help="Remove runs that are old or take too much room.")
@click.option("--older-than", "age", metavar="AGE", type=Age(), help="Runs that ended longer ago: 90d, 12w, 1y.")
@click.option(
    "--larger-than", "size", metavar="SIZE", type=Size(), help="The oldest, until the others take no more: 20GiB."
)
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=1),
    help="Keep the N newest runs of each lab whatever their age and size; alone, remove all others. Default 1.",
)
@click.option("--lab", metavar="NAME", help="Only runs of this lab.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-y", "--yes", "agreed", is_flag=True, help="Do not ask.")
@json_option
@common_options
@pass_context
def prune(
    context: Context,
    age: timedelta | None,
    size: int | None,
    keep: int | None,
    lab: str | None,
    *,
    dry_run: bool,
    agreed: bool,
) -> None:
    """Remove runs for good, with results and output, and give their room back to the disk.

    Nothing is removed without a confirmation: --yes, or an answer at the terminal.

    Never removed are runs that are not over, runs with failures that `kdevops decide` may still decide, the newest run of
    each lab, runs of labs that are in use, and runs with which a run is compared that stays.
    """
    from kdevops.paths import state_dir
    from kdevops.results.opening import is_of_a_team
    from kdevops.results.pruning import Limits, remove, unfinished
    from kdevops.results.store import Store
    from kdevops.run.dirs import Dirs

    if dry_run and agreed:
        raise UserError("--dry-run and --yes contradict each other", hint="give one of them")
    if size is not None and is_of_a_team():
        raise UserError(
            "--larger-than is for a store in a file: what runs take in a team's store cannot be told",
            hint="give --older-than AGE or --keep N; kdevops results remove RUN removes only the output of runs on this machine",
        )
    place, asked = Dirs.default().run, age is not None or size is not None or keep is not None
    with ExitStack() as held, Store(state_dir()) as store:
        if lab is not None:
            check_lab(store, lab)
        left_over = unfinished(place(0).parent)
        if not asked and not left_over:
            raise UserError(
                "nothing says which runs to remove",
                hint="kdevops results prune --older-than 90d, --larger-than 20GiB or --keep 10",
            )
        limits = Limits(age, size, keep or 1) if asked else None
        proposal = _proposal(store, limits, lab)
        lines, data = _lines(proposal), _facts(proposal)
        to_do = bool(proposal.groups) or left_over or store.free_bytes() > _WORTH_IT
        if not to_do or dry_run or not (agreed or sys.stdin.isatty()):
            why = "nothing was removed: confirm with --yes" if to_do else "nothing to remove"
            context.emit({**data, "removed": False, "freed": 0}, [*lines, why])
            return
        _lock(proposal, held)
        if not (agreed or _agree(lines)):
            context.emit({**data, "removed": False, "freed": 0}, ["nothing was removed"])
            return
        freed = remove(store, proposal.groups, place, known=proposal.newest)
    context.emit({**data, "removed": True, "freed": freed}, [*lines, f"removed; {size_told(freed)} freed"])


def _agree(lines: Sequence[str]) -> bool:
    for line in lines:
        click.echo(line, err=True)
    return click.confirm("Remove them for good?", err=True)


def _proposal(store: Store, limits: Limits | None, lab: str | None) -> Proposal:
    """What to remove, nothing without limits; without what is of labs that are in use."""
    from kdevops.results.pruning import Proposal, propose, wholes
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import is_held
    from kdevops.run.plan.record import compared_with

    if limits is None:
        return Proposal((), {})
    dirs = Dirs.default()
    runs = wholes(store, dirs.run, compared_with)
    in_use = {each for each in {run.lab for run in runs.values()} if is_held(dirs.lab(each))}

    def keeps(number: int) -> str:
        whose = runs[number].lab
        return f"lab {whose} is in use" if whose in in_use else _undecided(store, number)

    return propose(runs, limits, datetime.now(UTC), lab=lab, keeps=keeps)


def _lock(proposal: Proposal, held: ExitStack) -> None:
    """Lock the labs of what goes, so that nothing begins that needs it. Raises UserError if one is in use."""
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import lab_lock

    for lab in sorted({each.lab for each in proposal.runs}):
        directory = Dirs.default().lab(lab)
        if directory.is_dir():  # not there for imported runs
            held.enter_context(lab_lock(directory, lab, "results prune"))


def _undecided(store: Store, number: int) -> str:
    """Why a run may still be decided, "" if it may not."""
    from kdevops.results.imported import is_imported
    from kdevops.run.judging import judge

    run = store.run(number)
    counts = store.counts(number, number).get(number)
    if is_imported(run) or not counts or not counts.bad:
        return ""
    try:
        undecided = len(judge(store, run).undecided)
    except KdevopsError as error:
        return f"it cannot be judged: {error.message}"
    if not undecided:
        return ""
    return f"{undecided} failure{'' if undecided == 1 else 's'} may still be decided: kdevops decide {number}"


def _lines(proposal: Proposal) -> list[str]:
    going = proposal.runs
    lines = [
        f"run {each.id} of lab {clean(each.lab)}, {each.at[:10]}: about {size_told(each.size)}"
        + (f", with {len(each.members) - 1} reruns" if len(each.members) > 1 else "")
        for each in going[:_MAX_TOLD]
    ]
    if len(going) > _MAX_TOLD:
        lines.append(f"and {len(going) - _MAX_TOLD} more")
    if going:
        runs = "1 run" if len(going) == 1 else f"{len(going)} runs"
        lines.append(f"{runs}, about {size_told(sum(each.size for each in going))}")
    stays = [f"run {number} stays: {clean(why)}" for number, why in sorted(proposal.stays.items())]
    return [
        *lines,
        *stays[:_MAX_TOLD],
        *([f"and {len(stays) - _MAX_TOLD} more stay"] if len(stays) > _MAX_TOLD else []),
    ]


def _facts(proposal: Proposal) -> dict[str, object]:
    return {
        "runs": [_fact(each) for each in proposal.runs],
        "bytes": sum(each.size for each in proposal.runs),
        "stay": [{"id": number, "why": why} for number, why in sorted(proposal.stays.items())],
    }


def _fact(each: Whole) -> dict[str, object]:
    return {
        "id": each.id, "lab": each.lab, "ended": each.at, "reruns": len(each.members) - 1, "bytes": each.size,
        "output_bytes": each.output,
    }  # fmt: skip
