"""`kdevops results check`: whether the store is whole."""

from __future__ import annotations

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.cli.output import writing
from kdevops.errors import InfrastructureError


@click.command(short_help="Check that the store is whole.")
@json_option
@common_options
@pass_context
def check(context: Context) -> None:
    """Check that the store is whole: its file, that totals agree with results, and that every ended run has all of them.

    All of it is read, which takes about a minute for 15 million results. Exits with 3 if something is wrong.
    """
    from kdevops.paths import state_dir
    from kdevops.results.check import problems
    from kdevops.results.database import damaged
    from kdevops.results.listing import number_of_runs
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        if found := problems(store):
            error: InfrastructureError = damaged(
                store.path, f"{len(found)} problems" if len(found) > 1 else "1 problem"
            )
            error.data = {"problems": found}
            if not context.json:
                with writing():
                    click.echo("\n".join(found))
            raise error
        context.emit({"problems": []}, [f"{store.path} is whole: {number_of_runs(store)} runs"])
