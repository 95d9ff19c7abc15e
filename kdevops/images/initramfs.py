"""A small initramfs for kernels with modular drivers (a distribution's own) and for images that are not ours."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import stat
import struct
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kdevops.distribution import install_hint
from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.images.base import BaseImage
from kdevops.images.disk import tool_path
from kdevops.process import run

DRIVERS = ("virtio_pci", "virtio_blk", "virtio_net")
"""Drivers that a guest requires, built in or as modules."""
ROOTS = ("ext4", "xfs", "btrfs")
"""Root file systems; our own images use the first."""
USEFUL = ("crc32c_generic", "crc32c_intel", "virtio_rng", "virtio_console")
"""Optional modules: ext4 requests crc32c by a name that only modprobe resolves."""
GAVE_UP = "kdevops-initramfs: cannot go on: "
"""Prefix of its console message when the boot fails."""
_DATA = Path(__file__).parent / "data"
_FILES = {"init": "initramfs-init", "seed.sh": "seed.sh"}
_FOREIGN = {name: name for name in ("foreign", "kdevops-sshd.service", "sshd.conf")}
"""Files added for an image that is not ours."""
_MAX_MODULE = 256 << 20
_DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "run", "sys", "modules.d")
_PT_INTERP = 3

Entry = tuple[str, int, bytes]
"""Name, mode and content of a file in an archive."""


def write_initramfs(path: Path, image: BaseImage, *, busybox: Path, modules: Sequence[Entry]) -> None:
    """Write the initramfs that loads `modules` in this order and mounts the root of `image`; `busybox` must be static."""
    entries: list[Entry] = [(name, stat.S_IFDIR | 0o755, b"") for name in _DIRECTORIES]
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()))
    for name, source in _files(image).items():
        entries.append((name, stat.S_IFREG | 0o755, (_DATA / source).read_bytes()))
    entries.append(("partition", stat.S_IFREG | 0o644, f"{image.partition or ''}\n".encode()))
    entries.append(("modules", stat.S_IFREG | 0o644, "".join(f"/{name}\n" for name, _, _ in modules).encode()))
    write_atomic(path, cpio([*entries, *modules]))


def recipe(image: BaseImage) -> str:
    """A hash of the initramfs' inputs other than kernel and busybox."""
    parts = [image.key, str(image.partition), *((_DATA / source).read_text() for source in _files(image).values())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _files(image: BaseImage) -> dict[str, str]:
    return _FILES if image.ours else _FILES | _FOREIGN


def static_busybox() -> Path:
    """This machine's busybox. Raises InfrastructureError if it is missing or not static."""
    found = shutil.which("busybox", path=tool_path())
    if found is None:
        raise InfrastructureError(
            "busybox is not installed; it is needed to boot an image that we did not make", hint=install_hint("busybox")
        )
    if not is_static(Path(found)):
        raise InfrastructureError(f"{found} is not a static busybox", hint=install_hint("busybox"))
    return Path(found)


def is_static(path: Path) -> bool:
    """Whether a 64-bit little-endian ELF program has no interpreter, that is, needs no libraries (elf(5))."""
    with path.open("rb") as file:
        head = file.read(4096)
    if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
        return False
    (table,) = struct.unpack_from("<Q", head, 0x20)
    size, count = struct.unpack_from("<HH", head, 0x36)
    starts = range(table, table + size * count, size or 1)
    return all(start + 4 <= len(head) and struct.unpack_from("<I", head, start) != (_PT_INTERP,) for start in starts)


async def initramfs_modules(
    modules_tree: Path, release: str, *, wanted: Sequence[str], useful: Sequence[str] = USEFUL
) -> list[Entry]:
    """The modules that a guest needs to reach its disk, in load order; empty if they are built in.

    `modules_tree` contains lib/modules/`release`; depmod creates a missing modules.dep. Modules in `useful` are optional.

    Raises UserError for a module of `wanted` that this kernel does not have.
    """
    directory = modules_tree / "lib/modules" / release
    if not directory.is_dir():
        raise UserError(f"no modules for kernel {release} in {modules_tree}/lib/modules")
    if not (directory / "modules.dep").is_file():
        await run(["depmod", "--basedir", modules_tree, release], env={"PATH": tool_path()}, timeout=120)
    dependencies = parse_modules_dep((directory / "modules.dep").read_text())
    builtin_list = directory / "modules.builtin"
    builtin = {_name(line) for line in builtin_list.read_text().split()} if builtin_list.is_file() else set()
    order = load_order(dependencies, builtin, wanted, useful)
    if not {_name(module) for module in order} & {*wanted, *ROOTS}:
        return []
    return [
        (f"modules.d/{_name(module)}.ko", stat.S_IFREG | 0o644, await _plain(directory / module)) for module in order
    ]


def parse_modules_dep(text: str) -> dict[str, tuple[str, ...]]:
    """The dependencies of each module (a path below lib/modules/<release>), from depmod: the last must load first."""
    dependencies = {}
    for line in text.splitlines():
        module, colon, needed = line.partition(":")
        if colon:
            dependencies[module] = tuple(needed.split())
    return dependencies


def load_order(
    dependencies: Mapping[str, Sequence[str]], builtin: set[str], wanted: Iterable[str], useful: Iterable[str] = ()
) -> list[str]:
    """The paths of the modules to load, each after its dependencies. Raises UserError for an unknown name in `wanted`."""
    by_name = {_name(module): module for module in dependencies}
    order: dict[str, None] = {}
    missing = [name for name in wanted if name not in by_name and name not in builtin]
    if missing:
        raise UserError(
            f"this kernel lacks {', '.join(missing)}, which a guest needs for its disk and network",
            hint="enable them in the kernel configuration, built in or as modules",
        )
    # Useful ones first: ext4 needs crc32c when it mounts, the order among drivers does not matter.
    for name in (*useful, *wanted):
        if name in by_name and name not in builtin:
            module = by_name[name]
            order.update(dict.fromkeys([*reversed(dependencies[module]), module]))
    return list(order)


def cpio(entries: Iterable[Entry]) -> bytes:
    """An archive of (name, mode, content) in the format "newc" (Linux, driver-api/early-userspace/buffer-format).

    Owner is root and times are 0, so that the archive is reproducible.
    """
    archive = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        encoded = name.encode() + b"\0"
        # inode, mode, uid, gid, links, time, size, device and rdevice as pairs, length of the name, no checksum
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        archive += bytes(-len(archive) % 4)
        archive += content
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def _name(module: str) -> str:
    """The kernel's name of a module: no directory, no suffix, underscores."""
    return module.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


async def _plain(path: Path) -> bytes:
    """The uncompressed module, because busybox cannot load compressed ones."""
    if path.suffix == ".zst":
        # To a file, because captured output is text and bounded.
        with tempfile.TemporaryDirectory() as directory:
            target = Path(directory) / "module"
            await run(["zstd", "--quiet", "--decompress", path, "-o", target], timeout=60)
            return target.read_bytes()
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.LZMADecompressor().decompress(data, _MAX_MODULE)
    elif path.suffix == ".gz":
        data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _MAX_MODULE)
    return data
