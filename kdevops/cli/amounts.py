"""Ages and sizes as people write them, and sizes as people read them."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_AGE = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[hdwy])", re.ASCII)
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "y": 365.0}
_SIZE = re.compile(r"(?P<number>[0-9]{1,6}(?:\.[0-9]{1,3})?) ?(?P<unit>[KMGT])(?:iB)?", re.ASCII)
_UNITS = "KMGT"


class Age(click.ParamType[timedelta]):
    """A time such as 90d, as a timedelta."""

    name = "age"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time. Fails for anything else."""
        if isinstance(value, timedelta):
            return value
        match = _AGE.fullmatch(value.strip())
        if not match:
            self.fail(
                f"{value!r} is not an age: give a number of days (90d), weeks (12w), years (1y) or hours", param, ctx
            )
        return timedelta(days=int(match["number"]) * _DAYS[match["unit"]])


class Size(click.ParamType[int]):
    """A size such as 20GiB, in bytes."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes. Fails for anything else."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value.strip())
        if not match:
            self.fail(f"{value!r} is not a size: give a number of MiB, GiB or TiB, as in 20GiB", param, ctx)
        return round(float(match["number"]) * (1 << 10 * (_UNITS.index(match["unit"]) + 1)))


def size_told(size: int) -> str:
    """A size for a person: "16 KiB", "1.5 GiB"."""
    if size < 1 << 20:
        return f"{size / (1 << 10):.0f} KiB"
    return f"{size / (1 << 20):.0f} MiB" if size < 1 << 30 else f"{size / (1 << 30):.1f} GiB"
