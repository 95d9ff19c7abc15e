"""Whose doing the end of a QEMU was: the guest's, or that of the machine on which it ran."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdevops.process import describe_exit

_MAX_COMPLAINT = 200
_BY_SIGNAL = "terminating on signal"
"""What QEMU says of SIGTERM, SIGINT and SIGHUP, at which it ends as if all were well."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a QEMU ended. `returncode` is None where its keeper did not live to say.

    `why` is for what reason the keeper ended it, "" where it did not. `shutdown` and `guest` are what QEMU said of its end
    (qapi/run-state.json, SHUTDOWN): the reason, and whether it was the guest's wish; "" and None where it said nothing.
    `complaint` is the end of what it said on its standard error.
    """

    returncode: int | None
    why: str = ""
    shutdown: str = ""
    guest: bool | None = None
    complaint: str = ""


def read_ending(path: Path, complaint: str) -> Ending:
    """The ending that the keeper noted in `path`, exit.json."""
    try:
        told: Any = json.loads(path.read_text())
        code, guest = told["returncode"], told.get("guest")
        return Ending(int(code), str(told.get("why", "")), str(told.get("shutdown", "")), guest, complaint)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Ending(None, complaint=complaint)


def from_outside(ending: Ending) -> str:
    """Why it was not the guest that ended its QEMU, in a line; "" where it was: by a reboot, a halt, a triple fault."""
    said = ending.complaint.splitlines()[-1][:_MAX_COMPLAINT] if ending.complaint else ""
    if ending.returncode is None:
        return "the process that keeps QEMU was killed" + (f": {said}" if said else "")
    if ending.why == "halted" or ending.guest:
        return ""
    if ending.why:
        return f"QEMU was ended by its keeper ({ending.why})"
    if ending.returncode < 0:
        return f"QEMU {describe_exit(ending.returncode)}" + (f": {said}" if said else "")
    if ending.returncode > 0:
        return f"QEMU failed: {said or describe_exit(ending.returncode)}"
    if _BY_SIGNAL in said:
        return f"QEMU was told to end: {said}"
    return f"QEMU was told to end ({ending.shutdown})" if ending.shutdown else ""
