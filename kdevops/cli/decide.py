"""`kdevops decide`: run a run's unknown failures again until it is clear whether the kernel made them worse."""

from __future__ import annotations

import click

from kdevops.cli.budget import limits, rerun_budget_option
from kdevops.cli.options import Context, common_options, json_option, pass_context, yes_option
from kdevops.cli.run import watch


@click.command()
@click.argument("number", metavar="RUN", type=int)
@rerun_budget_option
@yes_option
@json_option
@common_options
@pass_context
def decide(context: Context, number: int, *, rerun_budget: str | None) -> int:
    """Decide whether the kernel of RUN made its unknown failures worse.

    Only these tests run again, in turn on the kernel under test and on the baseline kernel it was compared with (without
    one, against the counts in the baseline), until each is `regressed` or a `flake`, or the budget is used up. Called
    again, it goes on from there.
    """
    from kdevops.run import decide as run_decide
    from kdevops.run.dirs import Dirs

    given = limits(rerun_budget) if rerun_budget is not None else None
    return watch(context, lambda display: run_decide.decide(number, given, Dirs.default(), display))
