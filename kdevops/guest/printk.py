"""What the recorder and the kernel put before a console message, and taking it off."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdevops.guest.console import MAX_LINE, strip_prefix

# <level>[seconds.microseconds][T1: task, C0: cpu (CONFIG_PRINTK_CALLER)] message. One blank ends it, more indent.
_PREFIX = re.compile(r"(?:<\d{1,3}>)?(?:\[ {0,8}\d{1,12}\.\d{1,9}\](?:\[ {0,12}[TC]\d{1,10}\])? ?)?")
_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ {0,8}(\d{1,12}\.\d{1,9})\]")
_UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


def message(line: str) -> str:
    """The text of a console line: no time stamps, escape sequences, control characters or line end."""
    text = _UNPRINTABLE.sub("", strip_prefix(line[:MAX_LINE]))
    match = _PREFIX.match(text)
    return text[match.end() :] if match else text


def first_boot(lines: Sequence[str]) -> list[str]:
    """The console lines of the first kernel that starts in them, up to where the next one does; all where none starts.

    What a kernel says before its clock runs has the time 0.000000.
    """
    begin, clock = None, 0.0
    for number, line in enumerate(lines):
        if not (match := _STAMP.match(strip_prefix(line[:MAX_LINE]))):
            continue
        now = float(match[1])
        if now == 0 and begin is None:
            begin = number
        elif now == 0 and clock > 0:
            return list(lines[begin:number])
        clock = now if begin is not None else 0.0
    return list(lines[begin or 0 :])
