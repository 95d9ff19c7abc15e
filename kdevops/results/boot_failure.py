"""A kernel that does not boot where another one of its lab did: a verdict about the kernel, kept in the record of its run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kdevops.results.store import JSON, Run

BOOT_FAILURE = "boot_failure"
"""In the record of a run whose kernel did not boot."""


@dataclass(frozen=True, slots=True)
class BootFailure:
    """How the kernel under test failed to boot. `title` is the head of its report, or its last sign of life.

    `text` is the whole report, empty where there is none. `console` names the file with what the guest printed, below
    the run's directory. `booted` is a run of the lab whose kernel did boot here.
    """

    title: str
    guest: str
    console: str
    text: str = ""
    booted: int | None = None

    @classmethod
    def of(cls, run: Run) -> BootFailure | None:
        """What the record of a run says of it, None where its kernel booted or it is not known why not."""
        said: dict[str, Any] | None = run.record.get(BOOT_FAILURE)
        return cls(**said) if said else None

    def as_record(self) -> dict[str, JSON]:
        """The part of a run's record that `of` reads."""
        return {BOOT_FAILURE: asdict(self)}
