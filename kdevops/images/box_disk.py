"""A bootable PC disk with GRUB, made without root, loop devices or grub-install."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from kdevops.errors import InfrastructureError
from kdevops.images.disk import SECTOR, START, make_disk

_BOOT_CODE = 440
"""Bytes of the boot sector before the disk's signature and the partition table."""


async def make_bootable_disk(
    disk: Path, archives: Sequence[Path], *, size: int, signature: int, uuid: UUID | None = None, log: Path
) -> None:
    """Write a raw disk as `make_disk` does, with GRUB in front of the partition.

    The archives must contain /boot/grub/i386-pc/boot.img and /boot/grub/core.img (from grub-mkimage). Their unpacked
    files are left in `tree` beside `disk`.
    """
    await make_disk(disk, archives, size=size, signature=signature, mark=b"", log=log, uuid=uuid)
    grub = disk.parent / "tree/boot/grub"
    boot, core = (grub / "i386-pc/boot.img").read_bytes(), (grub / "core.img").read_bytes()
    if len(core) > START - SECTOR:
        raise InfrastructureError(f"GRUB's core image ({len(core)} bytes) does not fit in front of the partition")
    # boot.img loads the next sector, which loads the sectors after it; both are built for that.
    with disk.open("r+b") as file:
        file.write(boot[:_BOOT_CODE])
        file.seek(SECTOR)
        file.write(core)
