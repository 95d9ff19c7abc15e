"""Whether a console line begins a report of the kernel's own trouble: the tables of `triage.said`, compiled for speed."""

from __future__ import annotations

import re

from kdevops.guest import printk
from kdevops.triage.said.checkers import LOCKDEP, SANITIZERS, STRUCTURES
from kdevops.triage.said.fatal import FATAL
from kdevops.triage.said.notices import NOTICES
from kdevops.triage.said.row import Pattern, Severity
from kdevops.triage.said.troubles import STALLS, WARNINGS

__all__ = ["PATTERNS", "Pattern", "Severity", "find"]

# The first that fits is taken, so the special stand before the general.
PATTERNS = (*FATAL, *SANITIZERS, *LOCKDEP, *STALLS, *STRUCTURES, *WARNINGS, *NOTICES)

_REACH = 512
"""Characters of a line in which a report may begin: behind a stray time stamp or a prompt, but not anywhere."""
_NAMED = tuple(pattern for pattern in PATTERNS if not pattern.needle)
_NEEDLES = tuple((pattern.needle, re.compile(pattern.regex), pattern) for pattern in PATTERNS if pattern.needle)
# One alternation whose branches begin with a literal: the engine passes over those that cannot fit.
_ANY = re.compile("|".join(f"({pattern.regex})" for pattern in _NAMED))


def find(text: str) -> tuple[Pattern, int] | None:
    """The report that this message begins, and the column at which it does; None for any other.

    `text` has no prefix (`printk.message`). A report begins where the kernel begins a message: at column 0 or behind a time
    stamp within the line.
    """
    for column in printk.begins(text, _REACH):
        if match := _ANY.match(text, column):
            return _NAMED[(match.lastindex or 1) - 1], column
        for needle, regex, pattern in _NEEDLES:
            if needle in text and regex.match(text, column):
                return pattern, column
    return None
