"""What the recorder and the kernel put before a console message, and taking it off."""

from __future__ import annotations

import re

from kdevops.guest.console import MAX_LINE, strip_prefix

# <level>[seconds.microseconds][T1: task, C0: cpu (CONFIG_PRINTK_CALLER)] message. One blank ends it, more indent.
_PREFIX = re.compile(r"(?:<\d{1,3}>)?(?:\[ {0,8}\d{1,12}\.\d{1,9}\](?:\[ {0,12}[TC]\d{1,10}\])? ?)?")
_UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


def message(line: str) -> str:
    """The text of a console line: no time stamps, escape sequences, control characters or line end."""
    text = _UNPRINTABLE.sub("", strip_prefix(line[:MAX_LINE]))
    match = _PREFIX.match(text)
    return text[match.end() :] if match else text
