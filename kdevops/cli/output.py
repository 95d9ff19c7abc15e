"""What commands print on standard output, which may be a file on a full disk or a reader that is gone."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice

import click

from kdevops.errors import InfrastructureError

_PIECES = 50_000
"""Pieces of JSON printed at once: a run of many tests has millions, which are never in memory together."""


class OutputError(InfrastructureError):
    """Standard output cannot be written."""


def print_json(data: object, *, indent: int | None = 2) -> None:
    """Print `data` as JSON. Raises OutputError."""
    pieces = json.JSONEncoder(indent=indent).iterencode(data)
    with writing():
        while some := list(islice(pieces, _PIECES)):
            click.echo("".join(some), nl=False)
        click.echo()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn the failure to write to standard output into OutputError, except that of a reader that is gone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise OutputError(f"cannot write to standard output: {error.strerror}", hint="free some space there") from error


def discard_output() -> None:
    """Write to /dev/null from now on: what is still buffered would fail once more when the interpreter ends."""
    with contextlib.suppress(OSError):  # not a real file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
