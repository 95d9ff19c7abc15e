"""The list of runs that `kdevops results` prints, newest first and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.listing import Listed
    from kdevops.results.store import Store

LIMIT = 30
"""Runs that are listed if nobody asks for more."""
_MAX_LINE = 2000


def print_list(context: Context, store: Store, lab: str | None, limit: int) -> None:
    """Print the newest runs, and on stderr how many more there are. `limit` 0: all. Raises UserError for an unknown lab."""
    from kdevops.results.listing import ALL, listed, number_of_runs

    if lab is not None:
        check_lab(store, lab)
    runs = listed(store, lab, limit or ALL)
    states = [_state(store, run) for run in runs]
    context.emit(list(map(_facts, runs, states)), list(map(_line, runs, states)) or ["no run yet"])
    if more := number_of_runs(store, lab) - len(runs):
        click.echo(f"and {more} older run{'' if more == 1 else 's'}: --limit 0 lists all", err=True)
    tell_waiting(store)


def tell_waiting(store: Store) -> None:
    """Say on stderr which results wait for a team's database that was away."""
    from kdevops.results.connection import in_words

    if waiting := store.waiting():
        click.echo(f"{in_words(waiting)}: the next command delivers what {store.place} takes", err=True)


def check_lab(store: Store, lab: str) -> None:
    """Raise UserError if no run is of this lab."""
    from kdevops.results.listing import labs
    from kdevops.text import nearest

    if lab not in (known := labs(store)):
        raise UserError(f"no run of a lab {lab!a}{nearest(lab, known, 1)}", hint="list all runs with: kdevops results")


def _state(store: Store, run: Listed) -> str:
    """The state; interrupted if the store has it as running here but its lab is not locked: kdevops was killed."""
    from kdevops.results.model import RunState
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import is_held

    going_on = run.state in {RunState.PLANNED, RunState.RUNNING} and store.is_here(run.id)
    return RunState.INTERRUPTED if going_on and not is_held(Dirs.default().lab(run.lab)) else run.state


def _facts(run: Listed, state: str) -> dict[str, object]:
    from kdevops.results.model import Status

    return {
        "id": run.id,
        "lab": run.lab,
        "state": str(state),
        "created": run.created,
        "ended": run.ended,
        "ran": list(run.ran or ()),
        "kernel": run.kernel or None,
        "planned": run.planned,
        "counts": {status.value: run.counts[status] for status in Status},
        "exit_code": run.exit_code,
        "verdict": run.verdict or None,
    }


def _when(run: Listed) -> str:
    """When a run began, or, if it was imported, when its tests ran, in local time of the machine that ran them."""
    if run.ran is None:
        return f"{run.created[:16].replace('T', ' ')} UTC"
    # Of some only the day is known.
    return run.ran[0][:16].replace("T", " ").removesuffix(" 00:00") if run.ran else "on an unknown date"


def _line(run: Listed, state: str) -> str:
    from kdevops.results.model import Status
    from kdevops.text import clean

    counts = "  ".join(f"{status} {run.counts[status]}" for status in Status if run.counts[status])
    verdict = "" if run.exit_code is None else f"exit {run.exit_code}: {run.verdict}"
    return f"{run.id:>4}  " + clean(
        f"{_when(run):<20}  {run.lab:<16}  {run.kernel:<12}  {state:<11}  "
        + "; ".join(filter(None, [verdict, counts])),
        _MAX_LINE,
    )
