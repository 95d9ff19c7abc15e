"""A name of a report that is the same for the same trouble across boots and runs."""

from __future__ import annotations

import re

_FUNCTION = r"(?P<function>[A-Za-z_$][\w.$]{1,100}?)(?:\.(?:cold|isra|part|constprop|llvm)[\w.]*)?\+0x"
_NORMAL = (
    (re.compile(r"0x[\da-fA-F]+|\b(?=[a-f]*\d)[\da-f]{8,16}\b"), "ADDR"),
    (re.compile(r"\b([\w/-]+?)(?:\[\d+\]|[:/]\d+)\b"), r"\1:NUM"),
    (re.compile(r"\d+"), "NUM"),
)


def signature(title: str) -> str:
    """A title with its numbers, addresses and tasks' numbers taken out."""
    for regex, put in _NORMAL:
        title = regex.sub(put, title)
    return title
