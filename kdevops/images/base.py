"""The base image of a guest's root file system, and the kernel parameters to boot it."""

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
"""The start of the boot sector of our own images, followed by the name of the init."""
_FOREIGN = (
    # Replace its sshd with the one that accepts our key.
    "systemd.mask=ssh.service", "systemd.mask=ssh.socket", "systemd.mask=sshd.service", "systemd.mask=sshd.socket",
    # The kernel may lack a file system in fstab (/boot/efi), and a failed mount stops systemd.
    "fstab=no",
    # No questions at first boot, no cloud-init, and the kernel's interface names.
    "systemd.firstboot=no", "cloud-init=disabled", "net.ifnames=0",
)  # fmt: skip
"""See systemd-debug-generator(8), systemd-fstab-generator(8), systemd-firstboot(1), systemd-udevd.service(8)."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A read-only disk image; guests write to copy-on-write overlays of it.

    `key` is a hash of its content or recipe. `root` and `init` are the kernel parameters of these names; without `init`
    the kernel finds its own. `partition` is the root's number, None if the file system fills the disk. An image that is
    not `ours` gets network and ssh from an initramfs. `record` is stored with a run, as JSON values.
    """

    path: Path
    key: str
    format: Literal["raw", "qcow2"]
    root: str
    init: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    partition: int | None = 1
    ours: bool = True

    @property
    def cmdline(self) -> tuple[str, ...]:
        """The kernel parameters with which this image boots."""
        init = (f"init={self.init}",) if self.init else ()
        return (f"root={self.root}", "rw", *init, *(() if self.ours else _FOREIGN))

    @property
    def busybox(self) -> Path | None:
        """A static busybox for the guest's architecture, for an initramfs; only our own images have one."""
        path = self.path.with_suffix(".busybox")
        return path if path.is_file() else None
