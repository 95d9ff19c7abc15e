"""BASELINE: which baseline a command is about, a directory or that of a lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kdevops.errors import UserError

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HERE = Path("baselines")


def where_argument(function: _Function) -> _Function:
    """BASELINE: a directory, or a lab file; see `directory_of`."""
    return click.argument(
        "where", metavar="[BASELINE]", required=False, type=click.Path(path_type=Path), envvar="KDEVOPS_LAB"
    )(function)


def directory_of(where: Path | None) -> Path:
    """The directory of the baseline: that, or that of the lab, by default of lab.yaml here, else ./baselines.

    Raises UserError if there is none, or the lab is not valid.
    """
    from kdevops.cli.options import DEFAULT_LAB
    from kdevops.lab.load import load_lab
    from kdevops.text import clean

    try:
        if where is not None and where.is_dir():
            return where.absolute()
    except OSError as error:  # a name that no file can have
        raise UserError(
            f"{clean(str(where), 80)}: {error.strerror}", hint="name the directory of a baseline"
        ) from error
    if where is not None or DEFAULT_LAB.exists():
        return load_lab(where or DEFAULT_LAB, check_files=False).baseline
    if _HERE.is_dir():
        return _HERE.absolute()
    raise UserError(
        "there is neither lab.yaml nor baselines/ in this directory",
        hint="name the directory of a baseline, or a lab file, as an argument",
    )
