"""Machines that cost money until they are destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rented:
    """The rented machines of one lab. `nodes`: names of its guests; `where`: a description such as "aws, eu-central-1".

    `age`: text that says when they were made and when they expire. `advice`: a hint if their state is unknown.
    """

    lab: str
    where: str
    nodes: tuple[str, ...]
    created: datetime
    expires: datetime
    overdue: bool
    age: str
    advice: str = ""
