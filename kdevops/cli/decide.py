"""`kdevops decide`: run a run's unknown failures again until it is clear whether the kernel made them worse."""

from __future__ import annotations

import re

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context, yes_option
from kdevops.cli.run import watch
from kdevops.errors import UserError

_LIMIT = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smh]?)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@click.command()
@click.argument("number", metavar="RUN", type=int)
@click.option(
    "--rerun-budget",
    metavar="LIMIT",
    help="What it may cost: a time such as 30m, a number of test results such as 200, or both: 30m,200.",
)
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

    results, seconds = limits(rerun_budget) if rerun_budget else (None, None)
    usual = run_decide.Budget()
    budget = run_decide.Budget(
        usual.results if results is None else results, usual.seconds if seconds is None else seconds
    )
    return watch(context, lambda display: run_decide.decide(number, budget, Dirs.default(), display))


def limits(text: str) -> tuple[int | None, float | None]:
    """The number of results and the seconds that a budget such as "30m,200" allows; None for what it does not limit.

    Raises UserError for anything else.
    """
    results: int | None = None
    seconds: float | None = None
    for part in text.split(","):
        match = _LIMIT.fullmatch(part.strip())
        if not match or (seconds if match["unit"] else results) is not None:
            raise UserError(
                f"--rerun-budget {text!r} is not a budget",
                hint="give a time (90s, 30m, 2h), a number of test results (200), or both: 30m,200",
            )
        if match["unit"]:
            seconds = int(match["number"]) * _SECONDS[match["unit"]]
        else:
            results = int(match["number"])
    return results, seconds
