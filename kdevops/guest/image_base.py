"""What a guest's root file system is made from, and what its kernel must be told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

STEP = "image"
"""The name of our steps in `Progress`."""
INIT = "/sbin/kdevops-init"
"""The `init=` of the images that we make."""
MARK = "kdevops image, init: "
"""How the boot sector of an image that we made begins; the name of its init follows."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A whole disk that is never written to: guests write to copy-on-write overlays of it.

    `key` names its content, or the recipe it was made by. `root` and `init` are the kernel parameters of these names;
    without `init` the kernel finds its own. `record` is what a run must remember of the image, as JSON values.
    """

    path: Path
    key: str
    format: Literal["raw", "qcow2"]
    root: str
    init: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def busybox(self) -> Path | None:
        """A static busybox of the guest's machine, for an initramfs; only an image that we made has one."""
        path = self.path.with_suffix(".busybox")
        return path if path.is_file() else None
