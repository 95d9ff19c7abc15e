"""What a suite is to the rest of the program.

A suite says which kernel options it needs, what it will run (before anything runs), and how one test is run on a live
guest. It knows nothing of providers; the guest it gets is an ssh target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdevops.results.model import TestId


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Options asked of the kernel's configuration: symbol without CONFIG_ → value ("y", "m", "n", "42", '"text"').

    A required option that does not survive `olddefconfig` stops the build; an optional one is reported only.
    """

    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test that will be run. `timeout` is in seconds on an accelerated guest; `expected` seconds, None while unknown."""

    id: TestId
    timeout: float
    expected: float | None = None
