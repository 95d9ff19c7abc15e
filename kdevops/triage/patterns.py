"""Recognise console lines that begin a kernel report, with the tables of `triage.messages` compiled for speed."""

from __future__ import annotations

import re

from kdevops.guest import printk
from kdevops.triage.messages.checkers import LOCKDEP, SANITIZERS, STRUCTURES
from kdevops.triage.messages.fatal import FATAL
from kdevops.triage.messages.notices import NOTICES
from kdevops.triage.messages.pattern import Pattern, Severity
from kdevops.triage.messages.troubles import STALLS, WARNINGS

__all__ = ["PATTERNS", "Pattern", "Severity", "find"]

# The first match wins, so specific patterns come before general ones.
PATTERNS = (*FATAL, *SANITIZERS, *LOCKDEP, *STALLS, *STRUCTURES, *WARNINGS, *NOTICES)

_REACH = 512
"""Characters of a line in which a report may begin, after a stray time stamp or a prompt."""
_ROWS = tuple(pattern for pattern in PATTERNS if not pattern.needle)
_NEEDLES = tuple((pattern.needle, re.compile(pattern.regex), pattern) for pattern in PATTERNS if pattern.needle)
# Most lines do not begin a report. An alternation without groups rejects them at their first character; the other one
# finds the row.
_ANY = re.compile("|".join(row.regex for row in _ROWS))
_WHICH = re.compile("|".join(f"({row.regex})" for row in _ROWS))


def find(text: str) -> tuple[Pattern, int] | None:
    """The pattern of the report that this message begins, and its column; None if it does not begin one.

    `text` has no prefix (`printk.parse`). A report begins where a kernel message begins: at column 0 or after a time
    stamp within the line.
    """
    for column in printk.begins(text, _REACH):
        if _ANY.match(text, column) and (which := _WHICH.match(text, column)):
            return _ROWS[(which.lastindex or 1) - 1], column
        for needle, regex, pattern in _NEEDLES:
            if needle in text and regex.match(text, column):
                return pattern, column
    return None
