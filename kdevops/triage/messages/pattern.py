"""A row of the tables: one message that begins a report, and how bad that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much a report says about the kernel's fitness to go on.

    NOTICE: an error that a test may provoke (file systems, block layer, OOM killer): told, and says nothing about the guest.
    WARNING: the kernel's own trouble, which leaves it usable. STALL: something waits or spins for too long.
    VIOLATION: memory or a rule was broken, so what comes next cannot be trusted. FATAL: the kernel oopsed or panicked.
    """

    NOTICE = 0
    WARNING = 1
    STALL = 2
    VIOLATION = 3
    FATAL = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to begin a report. `source` is the file of the kernel tree that prints it.

    `regex` is matched where the kernel begins a message. `needle`: for a message that begins with a name; words that are
    always in it. `alone`: no trace follows. `preface`: the report proper (WARNING, BUG, Oops) may follow, and is the same
    trouble. `continues`: a later line of a report, which begins one only where the first is lost. `disarms`: the checker is
    off from then on, so the guest has to be reset before the next test is judged by it. `loose`: words that programs use too;
    where the kernel stamps its messages, one without a stamp is not the kernel's.
    """

    kind: str
    severity: Severity
    regex: str
    source: str
    needle: str = ""
    alone: bool = False
    preface: bool = False
    continues: bool = False
    disarms: bool = False
    loose: bool = False
