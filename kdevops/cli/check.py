"""`kdevops results check`: whether the store is whole, and what is done if it is not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from kdevops.cli.listing import tell_waiting
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.cli.output import writing
from kdevops.errors import UserError


@click.command(short_help="Check that the store is whole, or rebuild it.")
@click.option("--repair", "mend", is_flag=True, help="Set a damaged file aside, and rebuild what can be read of it.")
@json_option
@common_options
@pass_context
def check(context: Context, *, mend: bool) -> None:
    """Check that the store is whole: its file, that totals agree with results, and that every ended run has all of them.

    All of it is read, which takes one or two minutes for 15 million results. Exits with 3 if something is wrong. With
    --repair, a damaged file is renamed, never removed. Tests whose results cannot be read become `missing`, or run again if
    their run is resumed; it tells what is lost.
    """
    from kdevops.paths import state_dir
    from kdevops.results.check import problems
    from kdevops.results.database import damaged
    from kdevops.results.listing import number_of_runs
    from kdevops.results.opening import is_of_a_team
    from kdevops.results.repair import repair
    from kdevops.results.store import Store

    if mend and is_of_a_team():
        raise UserError("--repair is for a store in a file", hint="restore a copy of the database, with pg_restore")
    with Store(state_dir()) as store:
        found, path = problems(store), store.path
        tell_waiting(store)
        if not found:
            context.emit({"problems": []}, [f"{store.place} is whole: {number_of_runs(store)} runs"])
            return
    if mend:
        with _all_labs_locked():
            aside, lost = repair(path)
        lines = [*found, f"the damaged file is now {aside}", *lost]
        lines += [f"{path} was rebuilt; {'this is lost for good' if lost else 'nothing is lost'}"]
        context.emit({"problems": found, "damaged": str(aside), "lost": lost}, lines)
        return
    if not context.json:
        with writing():
            click.echo("\n".join(found))
    error = damaged(store.place, "1 problem" if len(found) == 1 else f"{len(found)} problems")
    error.data = {"problems": found}
    raise error


@contextlib.contextmanager
def _all_labs_locked() -> Iterator[None]:
    """Keep every command away that writes results. Raises UserError if one is at work."""
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import lab_lock

    labs = Dirs.default().lab("x").parent
    with contextlib.ExitStack() as held:
        for directory in sorted(labs.iterdir()) if labs.is_dir() else []:
            held.enter_context(lab_lock(directory, directory.name, "results check"))
        yield
