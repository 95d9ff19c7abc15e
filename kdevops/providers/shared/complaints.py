"""What other tools say when they fail, told as what is wrong and the command that mends it: errors.yaml of each wing."""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.text import clean

EXAMINED = 128 << 10
"""Characters of an output that are looked at, its end: errors stand there."""
MESSAGE_LIMIT = 400
_KINDS = {"user": UserError, "infrastructure": InfrastructureError}
_VALUE_LIMIT = 120


class Complaint(BaseModel):
    """One row of the data. `match` is a regular expression for an output with every run of blanks made one.

    Its named groups stand in braces in `message` and, quoted for a shell, in `hint`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    match: re.Pattern[str]
    kind: Literal["user", "infrastructure"] = "infrastructure"
    message: str
    hint: str


@cache
def complaints_of(tool: str) -> tuple[Complaint, ...]:
    """All that we know of a tool, the special before the general."""
    text = files("kdevops.providers").joinpath(f"{tool}/errors.yaml").read_text()
    return TypeAdapter(tuple[Complaint, ...]).validate_python(yaml.safe_load(text))


def recognised(tool: str, plain: str, log: Path | None) -> KdevopsError | None:
    """The error for the first complaint in the data's order that is anywhere in `plain`; None for what we do not know."""
    for complaint in complaints_of(tool):
        if found := complaint.match.search(plain):
            values = {name: clean(value or "", _VALUE_LIMIT) for name, value in found.groupdict().items()}
            hint = complaint.hint.format_map(
                {name: shlex.quote(value) if value else "" for name, value in values.items()}
            )
            message = clean(complaint.message.format_map(values), MESSAGE_LIMIT)
            return _KINDS[complaint.kind](message, hint=hint, log=log)
    return None
