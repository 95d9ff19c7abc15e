"""`kdevops baseline` and its commands."""

from __future__ import annotations

import click

from kdevops.cli.baselines.accept import accept, diff
from kdevops.cli.baselines.annotate import annotate
from kdevops.cli.baselines.explain import explain
from kdevops.cli.baselines.expunges import export, import_
from kdevops.cli.baselines.show import show
from kdevops.cli.baselines.upkeep import compact, migrate, prune


@click.group()
def baseline() -> None:
    """Accept, show and keep what is known of tests, as text in git."""


for _command in (accept, diff, show, explain, annotate, prune, import_, export, compact, migrate):
    baseline.add_command(_command)
