"""A disk that a PC boots by itself, with GRUB on it, made without root, a loop device or grub-install."""

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

    The archives must hold /boot/grub/i386-pc/boot.img and, made by grub-mkimage, /boot/grub/core.img. Their files are left
    beside `disk`, in `tree`.
    """
    await make_disk(disk, archives, size=size, signature=signature, mark=b"", log=log, uuid=uuid)
    grub = disk.parent / "tree/boot/grub"
    boot, core = (grub / "i386-pc/boot.img").read_bytes(), (grub / "core.img").read_bytes()
    if len(core) > START - SECTOR:
        raise InfrastructureError(f"GRUB's core image of {len(core)} bytes does not fit before the partition")
    # boot.img loads the sector behind itself, and this one the sectors that follow: so they are both built.
    with disk.open("r+b") as file:
        file.write(boot[:_BOOT_CODE])
        file.seek(SECTOR)
        file.write(core)
