"""A small initramfs for kernels whose drivers are modules, such as a distribution's own."""

from __future__ import annotations

import lzma
import stat
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kdevops.errors import UserError
from kdevops.guest.image_disk import tool_path
from kdevops.paths import write_atomic
from kdevops.process import run

REQUIRED = ("virtio_pci", "virtio_blk", "virtio_net", "ext4")
"""What a guest cannot do without, built in or as modules."""
USEFUL = ("crc32c_generic", "crc32c_intel", "virtio_rng", "virtio_console")
"""What helps where it exists: ext4 asks for crc32c by a name that only modprobe resolves."""
_INIT = Path(__file__).parent / "data" / "initramfs-init"
_MAX_MODULE = 256 << 20
_DIRECTORIES = ("bin", "dev", "proc", "root", "sys", "modules.d")


async def write_initramfs(
    path: Path,
    modules_tree: Path,
    release: str,
    *,
    busybox: Path,
    wanted: Sequence[str] = REQUIRED,
    useful: Sequence[str] = USEFUL,
) -> bool:
    """Write an initramfs that loads `wanted` and mounts the root; False, and nothing written, when all is built in.

    `modules_tree` holds lib/modules/`release`; its modules.dep is made by depmod where it is missing. `busybox` is a
    static one. Of `useful` only what exists is taken.

    Raises UserError for a module of `wanted` that this kernel does not have.
    """
    directory = modules_tree / "lib/modules" / release
    if not directory.is_dir():
        raise UserError(f"there are no modules of kernel {release} below {modules_tree}/lib/modules")
    if not (directory / "modules.dep").is_file():
        await run(["depmod", "--basedir", modules_tree, release], env={"PATH": tool_path()}, timeout=120)
    dependencies = parse_modules_dep((directory / "modules.dep").read_text())
    builtin_list = directory / "modules.builtin"
    builtin = {_name(line) for line in builtin_list.read_text().split()} if builtin_list.is_file() else set()
    order = load_order(dependencies, builtin, wanted, useful)
    if not {_name(module) for module in order} & set(wanted):
        return False
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in _DIRECTORIES]
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()))
    entries.append(("init", stat.S_IFREG | 0o755, _INIT.read_bytes()))
    names = [f"modules.d/{_name(module)}.ko" for module in order]
    entries.append(("modules", stat.S_IFREG | 0o644, "".join(f"/{name}\n" for name in names).encode()))
    for name, module in zip(names, order, strict=True):
        entries.append((name, stat.S_IFREG | 0o644, await _plain(directory / module)))
    write_atomic(path, cpio(entries))
    return True


def parse_modules_dep(text: str) -> dict[str, tuple[str, ...]]:
    """What each module (a path below lib/modules/<release>) needs, as depmod writes it: the last one must load first."""
    dependencies = {}
    for line in text.splitlines():
        module, colon, needed = line.partition(":")
        if colon:
            dependencies[module] = tuple(needed.split())
    return dependencies


def load_order(
    dependencies: Mapping[str, Sequence[str]], builtin: set[str], wanted: Iterable[str], useful: Iterable[str] = ()
) -> list[str]:
    """The paths of the modules to load, each after all that it needs. Raises UserError for an unknown one of `wanted`."""
    by_name = {_name(module): module for module in dependencies}
    order: dict[str, None] = {}
    missing = [name for name in wanted if name not in by_name and name not in builtin]
    if missing:
        raise UserError(
            f"this kernel has no {', '.join(missing)}, without which a guest cannot boot from its disk and be reached",
            hint="enable them in the kernel's configuration, built in or as modules",
        )
    # Useful ones first: ext4 needs crc32c when it mounts, the order among drivers does not matter.
    for name in (*useful, *wanted):
        if name in by_name and name not in builtin:
            module = by_name[name]
            order.update(dict.fromkeys([*reversed(dependencies[module]), module]))
    return list(order)


def cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """An archive of (name, mode, content) in the format "newc" (Linux, driver-api/early-userspace/buffer-format).

    Everything belongs to root and has no time, so that the same content gives the same archive.
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
    """The module's name as the kernel has it: no directory, no suffix, underscores."""
    return module.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


async def _plain(path: Path) -> bytes:
    """The module without compression: busybox loads no compressed ones."""
    if path.suffix == ".zst":
        # To a file: what a command prints is kept as text, and bounded.
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
