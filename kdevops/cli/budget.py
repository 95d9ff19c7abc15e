"""The option that limits what deciding on failures may cost."""

from __future__ import annotations

import re

import click

from kdevops.errors import UserError

_LIMIT = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smh]?)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

rerun_budget_option = click.option(
    "--rerun-budget",
    metavar="LIMIT",
    help="What deciding on unknown failures may cost: a time such as 30m, a number of test results, or both: 30m,200.",
)


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
