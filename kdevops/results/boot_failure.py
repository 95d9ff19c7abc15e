"""A kernel that does not boot although another kernel did in its lab: a verdict on the kernel, stored in the run's record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kdevops.results.store import JSON, Run

BOOT_FAILURE = "boot_failure"
"""Key in the record of a run whose kernel did not boot."""


@dataclass(frozen=True, slots=True)
class BootFailure:
    """How the kernel under test failed to boot. `title` is the head of its report, or its last sign of life.

    `text` is the whole report, or empty. `console` is the guest's console log, relative to the run's directory. `booted` is
    a run of the lab whose kernel did boot here.
    """

    title: str
    guest: str
    console: str
    text: str = ""
    booted: int | None = None

    @classmethod
    def of(cls, run: Run) -> BootFailure | None:
        """The boot failure in a run's record; None if the kernel booted or the cause is unknown."""
        said: dict[str, Any] | None = run.record.get(BOOT_FAILURE)
        return cls(**said) if said else None

    def as_record(self) -> dict[str, JSON]:
        """The part of a run's record to be read by `of`."""
        return {BOOT_FAILURE: asdict(self)}
