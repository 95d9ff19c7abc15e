"""Decides whether the kernel itself fails to boot, and whether that is a verdict: another kernel must have booted here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest import console, printk
from kdevops.results.boot_failure import BootFailure
from kdevops.results.imported import is_bundled
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Run, Store
from kdevops.run.plan.record import BOOTED, compared_with
from kdevops.text import clean
from kdevops.triage.oops import find_oops
from kdevops.triage.patterns import Severity

CONSOLE = 8 << 20
"""Bytes of a boot's console that are read and kept."""
# The location in a report's trace on x86, arm64, riscv, powerpc and arm.
_WHERE = re.compile(
    r"(?:RIP: [0-9a-f]{4}:|\be?pc : |NIP \[[0-9a-f]+\] |PC is at )(?P<function>[A-Za-z_$][\w.$]{1,100})\+0x"
)
_MAX_SIGN = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a kernel failed to boot: the title and text of its report, or the last line it printed."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class FailedBoot:
    """A failed boot, and the console's end offset at that time."""

    error: InfrastructureError
    end: int

    @classmethod
    def now(cls, error: InfrastructureError) -> FailedBoot:
        """A boot that has just failed."""
        recorded = error.recorded if isinstance(error, BootError) else None
        return cls(error, console.end_of(recorded) if recorded else 0)

    @property
    def console(self) -> list[str]:
        """The console output of this boot; empty if none was recorded."""
        error = self.error
        if not isinstance(error, BootError) or not error.recorded:
            return []
        return printk.first_boot(console.read_since(error.recorded, error.console_offset, CONSOLE, end=self.end))


def fault_of(boot: FailedBoot) -> Fault | None:
    """The kernel's fault in a failed boot; None if the machine or a tool may be the cause."""
    lines = boot.console
    oops = find_oops(lines)
    silent = isinstance(boot.error, BootError) and boot.error.unanswered
    if oops and (oops.fatal or (silent and oops.severity > Severity.WARNING)):
        return Fault(_with_function(oops.title, oops.text), oops.text)
    if not silent:
        return None
    said = [text for line in lines if (text := clean(printk.message(line), _MAX_SIGN).strip())]
    return Fault(
        f"no answer; the last console line is: {said[-1]}" if said else "no answer, and nothing on the console"
    )


def proven(boots: Sequence[FailedBoot], *, times: int) -> Fault | None:
    """The fault if at least `times` boots in a row failed, each by the kernel's own fault; else None."""
    faults = [fault_of(boot) for boot in boots]
    known = [fault for fault in faults if fault]
    return known[-1] if len(known) == len(faults) >= times else None


def booted_here(store: Store, run: Run) -> int | None:
    """The baseline run, or an earlier run of this lab, whose kernel booted here; None if there is none.

    Here: with the same provider type and acceleration. Also None if the run's own kernel has booted before.
    """
    if _booted(store, run):
        return None
    beside = compared_with(run)
    if beside is not None and _booted(store, store.run(beside)):
        return beside
    for earlier in store.runs(run.lab):
        if is_bundled(earlier):
            continue  # it booted elsewhere
        if earlier.id < run.id and _conditions(earlier.record) == _conditions(run.record) and _booted(store, earlier):
            return earlier.id
    return None


def note_booted(store: Store, run_id: int) -> None:
    """Record that a guest of this run has booted."""
    if not store.run(run_id).record.get(BOOTED):
        store.update_record(run_id, {BOOTED: True})


def conclude(store: Store, run_id: int, failure: BootFailure) -> None:
    """End a run whose kernel does not boot: all pending tests are missing, and the record says why."""
    outcome = Outcome(Status.MISSING, reason=f"the kernel does not boot: {failure.title}")
    with store.together(run_id):
        store.update_record(run_id, failure.as_record())
        store.all_ended(run_id, dict.fromkeys(store.pending(run_id), outcome))
        store.finish(run_id)


def _booted(store: Store, run: Run) -> bool:
    """Whether a guest has booted; if the record does not say so, whether a test finished in one."""
    if run.record.get(BOOTED):
        return True
    return any(outcome.status.ran_to_its_end and outcome.guest for outcome in store.outcomes(run.id).values())


def _conditions(record: Mapping[str, Any]) -> tuple[object, object]:
    return record.get("lab", {}).get("provider", {}).get("type"), record.get("acceleration")


def _with_function(title: str, text: str) -> str:
    found = _WHERE.search(text)
    return title if found is None or found["function"] in title else f"{title} in {found['function']}"
