"""A row of the tables: a message that begins a report, and its severity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How serious a report is for the kernel.

    NOTICE: an error that a test may provoke (file systems, block layer, OOM killer); it does not concern the guest.
    WARNING: a kernel problem that leaves it usable. STALL: something waits or spins for too long.
    VIOLATION: memory or a rule was broken, so later results cannot be trusted. FATAL: the kernel oopsed or panicked.
    """

    NOTICE = 0
    WARNING = 1
    STALL = 2
    VIOLATION = 3
    FATAL = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """A message that begins a report. `source` is the kernel file that prints it.

    `regex` is matched at the start of a kernel message. `needle`: for a message that begins with a variable name, fixed
    words in it. `alone`: no trace follows. `preface`: the main report (WARNING, BUG, Oops) of the same problem may follow.
    `continues`: a later line of a report, which begins a report only if the first line was lost. `disarms`: it disables the
    checker, so the guest must be reset before the next test. `loose`: words that programs also print; if kernel messages
    have time stamps, one without a stamp is not from the kernel.
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
