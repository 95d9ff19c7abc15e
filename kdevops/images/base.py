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
_FOREIGN = (
    # Its sshd gives way to the one that lets us in.
    "systemd.mask=ssh.service", "systemd.mask=ssh.socket", "systemd.mask=sshd.service", "systemd.mask=sshd.socket",
    # A kernel may lack the file system of what else would be mounted (/boot/efi), and then systemd goes no further.
    "fstab=no",
    # Nobody is there to be asked, no cloud to be searched for, and interfaces keep the kernel's names.
    "systemd.firstboot=no", "cloud-init=disabled", "net.ifnames=0",
)  # fmt: skip
"""systemd-debug-generator(8), systemd-fstab-generator(8), systemd-firstboot(1), systemd-udevd.service(8) explain them."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A whole disk that is never written to: guests write to copy-on-write overlays of it.

    `key` names its content, or the recipe it was made by. `root` and `init` are the kernel parameters of these names;
    without `init` the kernel finds its own. `partition` is the root's number, None when the file system is all of the disk.
    An image that is not `ours` is brought network and ssh by an initramfs. `record` is what a run must remember of the
    image, as JSON values.
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
        """A static busybox of the guest's machine, for an initramfs; only an image that we made has one."""
        path = self.path.with_suffix(".busybox")
        return path if path.is_file() else None
