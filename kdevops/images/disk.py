"""Make a disk image from tar archives: an MBR with one ext4 partition, without root or loop devices."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from kdevops.distribution import install_hint
from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.images.store import full
from kdevops.process import run

SECTOR = 512
START = 1 << 20
"""Start of the partition in bytes: the alignment of partitioning tools since 2010."""
_SMALLEST = 64 << 20
# Fixed, so that a newer mke2fs or a distribution's mke2fs.conf does not add features that an older kernel cannot mount.
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,64bit,metadata_csum"
)
# Under fakeroot, ownership set by tar exists only within the session, so both commands share one.
_FILL = """
tree=$1 disk=$2 blocks=$3 label=$4 options=$5; shift 5
while [ "$1" != -- ]; do
    tar --extract --file "$1" --directory "$tree" --numeric-owner --keep-directory-symlink
    shift
done
shift
exec mkfs.ext4 -q -F -O "$FEATURES" -J size=16 -m 0 -L "$label" -E "root_owner=0:0$options" "$@" \
    -d "$tree" "$disk" "$blocks"k
"""
_TIMEOUT = 1800.0


async def make_disk(
    disk: Path,
    archives: Sequence[Path],
    *,
    size: int,
    signature: int,
    mark: bytes,
    log: Path,
    uuid: UUID | None = None,
) -> None:
    """Write a sparse raw image of `size` bytes with the files of the tar `archives`, unpacked in order.

    `signature` is the 32-bit disk signature that identifies the partition: `root=` is `partuuid(signature)`. `mark` is
    boot code, or a marker in its place. `uuid` is the file system's, by default random. Needs space for the files twice,
    beside `disk`.

    Raises UserError when the files do not fit into `size`, InfrastructureError when the disk is full.
    """
    if size < _SMALLEST:
        raise _too_small(size)
    await _fill(disk, archives, size, START, "kdevops-root", log, *(("-U", str(uuid)) if uuid else ()))
    with disk.open("r+b") as file:
        file.write(boot_record(size, signature, mark))


async def make_volume(disk: Path, archive: Path, *, size: int, label: str, uuid: UUID, log: Path) -> None:
    """Write a sparse image of `size` bytes: an ext4 file system without partitions, with the files of `archive`.

    Raises UserError and InfrastructureError as `make_disk` does.
    """
    # Few inodes: a volume is for few big files, and initialising inode tables on first mount is slow in an emulated guest.
    await _fill(disk, [archive], size, 0, label, log, "-U", str(uuid), "-i", "65536")


async def _fill(
    disk: Path, archives: Sequence[Path], size: int, start: int, label: str, log: Path, *words: str
) -> None:
    """Make `disk` with ext4 from `start` on; `words` are more arguments of mkfs.ext4."""
    if not shutil.which("mkfs.ext4", path=tool_path()):
        raise InfrastructureError("mkfs.ext4 is not installed", hint=install_hint("mkfs.ext4"))
    tree = disk.parent / "tree"
    tree.mkdir()
    with disk.open("wb") as file:
        file.truncate(size)
    blocks = str((size - start) // 1024)
    options = f",offset={start}" if start else ""
    argv: list[str | os.PathLike[str]] = ["sh", "-ec", _FILL, "sh", tree, disk, blocks, label, options]
    argv += [*archives, "--", *words]
    if os.geteuid() != 0:
        argv = ["fakeroot", "--", *argv]
    environment = {"FEATURES": _FEATURES, "LC_ALL": "C", "PATH": tool_path()}
    try:
        await run(argv, env=environment, timeout=_TIMEOUT, log_to=log)
    except CommandError as error:
        raise _explained(error, disk, size) from error


def boot_record(size: int, signature: int, mark: bytes) -> bytes:
    """The first sector of a PC disk with one Linux partition: signature at 440, table at 446, 55 AA at 510."""
    first, count = START // SECTOR, (size - START) // SECTOR
    # CHS addresses FE FF FF mean: use the sector numbers that follow.
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", first, min(count, 0xFFFFFFFF))
    return mark[:440].ljust(440, b"\0") + struct.pack("<IH", signature, 0) + entry + bytes(48) + b"\x55\xaa"


def partuuid(signature: int, partition: int = 1) -> str:
    """The kernel's `root=` value for a partition of an MBR disk."""
    return f"PARTUUID={signature:08x}-{partition:02x}"


def tool_path() -> str:
    """PATH plus the sbin directories, which some distributions omit for ordinary users."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _explained(error: CommandError, disk: Path, size: int) -> UserError | InfrastructureError:
    if "No space left on device" in error.output:
        return full(disk.parent, log=error.log)
    if "Could not allocate" in error.output:
        return _too_small(size)
    return error


def _too_small(size: int) -> UserError:
    return UserError(
        f"the files of the image do not fit into {size >> 20} MiB",
        hint="increase image.size in the lab file, or install fewer packages",
    )
