"""Find the root partition of a ready disk image from its first bytes."""

from __future__ import annotations

import platform
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from kdevops.images.disk import SECTOR, partuuid

HEAD = 128 << 10
"""Bytes needed from the start of a disk: the partition tables, and the superblock of btrfs at 64 KiB."""
_LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
# Types of root partitions by architecture (Discoverable Partitions Specification).
_ROOTS = {
    "x86_64": uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
    "aarch64": uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),
}
# Offset and magic of the superblock, for disks without partitions.
_FILE_SYSTEMS = ((1080, b"\x53\xef"), (0, b"XFSB"), (0x10040, b"_BHRfS_M"))


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: `root` is its kernel parameter, `sectors` its size, `certain`: it is marked as a root.

    `number` is None for a file system without partitions.
    """

    root: str
    number: int | None
    sectors: int
    certain: bool = False


def root_of(head: bytes) -> Partition | None:
    """The root of a disk that begins with `head`: the partition marked as root, else the biggest Linux partition.

    None if there is no Linux partition. A disk without partitions is `/dev/vda`: the root disk is always the first.
    """
    head = head.ljust(HEAD, b"\0")
    if head[SECTOR : SECTOR + 8] == b"EFI PART":
        found = list(_gpt(head))
    elif head[510:512] == b"\x55\xaa":
        found = list(_mbr(head))
    else:
        found = []
    if found:
        return max(found, key=lambda partition: (partition.certain, partition.sectors))
    if any(head[offset : offset + len(magic)] == magic for offset, magic in _FILE_SYSTEMS):
        return Partition("/dev/vda", None, 0)
    return None


def _gpt(head: bytes) -> Iterator[Partition]:
    """Partitions of a GUID partition table (UEFI specification, chapter 5.3)."""
    start, number, size = struct.unpack_from("<QII", head, SECTOR + 72)
    wanted = _ROOTS.get(platform.machine())
    for index in range(min(number, 128)):
        offset = start * SECTOR + index * size
        if size < 128 or offset + 128 > len(head):
            return
        kind, identity, first, last = struct.unpack_from("<16s16sQQ", head, offset)
        guid = uuid.UUID(bytes_le=kind)
        if guid in {_LINUX, wanted} and last >= first:
            yield Partition(f"PARTUUID={uuid.UUID(bytes_le=identity)}", index + 1, last - first + 1, guid == wanted)


def _mbr(head: bytes) -> Iterator[Partition]:
    """The Linux ones of the four primary partitions of a PC disk, named by disk signature and number."""
    (signature,) = struct.unpack_from("<I", head, 440)
    for number in range(4):
        _, kind, _, _, sectors = struct.unpack_from("<B3xB3sII", head, 446 + 16 * number)
        if kind == 0x83 and sectors:
            yield Partition(partuuid(signature, number + 1), number + 1, sectors)
