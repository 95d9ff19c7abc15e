"""Machines that cost money until they are destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rented:
    """Those of one lab. `nodes` are the names of its guests, `where` is for people: "aws, eu-central-1".

    `age` says when they were made and when they are to be gone. `advice` follows where nobody can say whether they run.
    """

    lab: str
    where: str
    nodes: tuple[str, ...]
    created: datetime
    expires: datetime
    overdue: bool
    age: str
    advice: str = ""
