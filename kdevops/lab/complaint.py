"""One row of the data files that say what a tool's complaint means, and the command that mends it."""

from __future__ import annotations

import re
from string import Formatter
from typing import Literal

from pydantic import Field, model_validator

from kdevops.lab.fields import Model


class Complaint(Model):
    """What a tool printed → what is wrong. `match` is looked for in an output with every run of blanks made one.

    Its named groups stand in braces in `message` and, quoted for a shell, in `hint`.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$", description="names the row, in lower case with dashes")
    match: re.Pattern[str]
    kind: Literal["user", "infrastructure"] = "infrastructure"
    message: str
    hint: str
    seen: str = Field(
        pattern=r"^(https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+|[A-Za-z][\w-]* \d+(\.\d+)+)$",
        description="where a real tool was seen to print this: its name and version, or the address of a public issue",
    )

    @model_validator(mode="after")
    def _templates_fit(self) -> Complaint:
        for field, template in (("message", self.message), ("hint", self.hint)):
            named = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
            if unknown := sorted(named - self.match.groupindex.keys()):
                raise ValueError(f"{field} names {{{unknown[0]}}}, and match has no such group")
        return self
