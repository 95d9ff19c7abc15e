"""What a guest's root file system is made from, and what its kernel must be told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

STEP = "image"
"""The name of our steps in `Progress`."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A whole disk that is never written to: guests write to copy-on-write overlays of it.

    `key` names its content. `root` and `init` are the kernel parameters of these names; without `init` the kernel finds
    its own. `record` is what a run must remember of the image, as JSON values.
    """

    path: Path
    key: str
    format: Literal["raw", "qcow2"]
    root: str
    init: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
