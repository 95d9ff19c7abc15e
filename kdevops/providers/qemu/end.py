"""Whether a QEMU was ended by its guest, or by something on the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdevops.process import describe_exit

_MAX_COMPLAINT = 200
_BY_SIGNAL = "terminating on signal"
"""QEMU's message for SIGTERM, SIGINT and SIGHUP, after which it exits with 0."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a QEMU ended. `returncode` is None if its keeper did not survive to report it.

    `why` is the keeper's reason for ending it, "" if it did not. `shutdown` and `guest` are QEMU's own report
    (qapi/run-state.json, SHUTDOWN): the reason, and whether the guest requested it; "" and None without a report.
    `complaint` is the end of its standard error.
    """

    returncode: int | None
    why: str = ""
    shutdown: str = ""
    guest: bool | None = None
    complaint: str = ""


def read_ending(path: Path, complaint: str) -> Ending:
    """The ending that the keeper wrote to `path`, exit.json."""
    try:
        told: Any = json.loads(path.read_text())
        code, guest = told["returncode"], told.get("guest")
        return Ending(int(code), str(told.get("why", "")), str(told.get("shutdown", "")), guest, complaint)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Ending(None, complaint=complaint)


def from_outside(ending: Ending) -> str:
    """Why something else than the guest ended its QEMU, in a line; "" for a reboot, a halt or a triple fault."""
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
