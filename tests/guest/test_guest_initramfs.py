import asyncio
import gzip
import lzma
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.guest.initramfs import cpio, load_order, parse_modules_dep, write_initramfs

DEP = """\
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/fs/ext4/ext4.ko.gz:
kernel/net/virtio-net.ko:
"""
FILES = {
    "kernel/drivers/block/virtio_blk.ko.xz": lzma.compress(b"block"),
    "kernel/drivers/virtio/virtio.ko": b"virtio",
    "kernel/drivers/virtio/virtio_ring.ko": b"ring",
    "kernel/fs/ext4/ext4.ko.gz": gzip.compress(b"ext4"),
    "kernel/net/virtio-net.ko": b"net",
}
WANTED = ("virtio_pci", "virtio_blk", "virtio_net", "ext4")
NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=30)


def unpacked(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read "newc", as the kernel's init/initramfs.c does: mode and content by name."""
    found = {}
    offset = 0
    while True:
        assert archive[offset : offset + 6] == b"070701"
        fields = [int(archive[offset + 6 + 8 * index : offset + 14 + 8 * index], 16) for index in range(13)]
        name = archive[offset + 110 : offset + 110 + fields[11] - 1].decode()
        start = (offset + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], archive[start : start + fields[6]])
        offset = (start + fields[6] + 3) & ~3


@given(st.lists(st.tuples(NAMES, st.integers(0, 0xFFFF), st.binary(max_size=50)), unique_by=lambda entry: entry[0]))
def test_cpio_is_read_as_it_is_written(entries: list[tuple[str, int, bytes]]) -> None:
    entries = [entry for entry in entries if entry[0] != "TRAILER!!!"]
    assert unpacked(cpio(entries)) == {name: (mode, content) for name, mode, content in entries}
    assert len(cpio(entries)) % 4 == 0


def test_cpio_is_understood_by_others(tmp_path: Path) -> None:
    archive = cpio([("d", stat.S_IFDIR | 0o755, b""), ("d/file", stat.S_IFREG | 0o600, b"content")])
    subprocess.run(["cpio", "--extract", "--quiet"], input=archive, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "d/file").read_bytes() == b"content"
    assert (tmp_path / "d/file").stat().st_mode & 0o777 == 0o600


@given(st.dictionaries(st.integers(0, 20), st.sets(st.integers(0, 20), max_size=4), min_size=1))
def test_every_module_comes_after_what_it_needs(graph: dict[int, set[int]]) -> None:
    # An edge from a greater to a smaller number only, so that there is no circle; depmod lists what is needed transitively.
    edges = {node: {other for other in graph.get(node, set()) if other < node} for node in range(21)}
    text = "".join(f"m{node}.ko: {' '.join(f'm{other}.ko' for other in closure(edges, node))}\n" for node in edges)
    order = load_order(parse_modules_dep(text), set(), [f"m{node}" for node in graph])
    for module in order:
        for other in edges[int(module[1:-3])]:
            assert order.index(f"m{other}.ko") < order.index(module)
    assert len(order) == len(set(order))


def closure(edges: dict[int, set[int]], node: int) -> list[int]:
    """All that `node` needs, greatest first: in modules.dep the last one loads first."""
    needed: set[int] = set()
    for other in edges[node]:
        needed |= {other, *closure(edges, other)}
    return sorted(needed, reverse=True)


@given(st.text())
def test_any_modules_dep_is_survived(text: str) -> None:
    parse_modules_dep(text)


def tree(tmp_path: Path, *, dep: str = DEP, builtin: str = "kernel/drivers/virtio/virtio_pci.ko\n") -> Path:
    directory = tmp_path / "tree/lib/modules/6.1.0"
    for name, content in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    (directory / "modules.dep").write_text(dep)
    (directory / "modules.builtin").write_text(builtin)
    (tmp_path / "busybox").write_bytes(b"static")
    return tmp_path / "tree"


def write(tmp_path: Path, modules: Path, release: str = "6.1.0") -> bool:
    work = write_initramfs(tmp_path / "initrd", modules, release, busybox=tmp_path / "busybox", wanted=WANTED)
    return asyncio.run(work)


def test_modules_are_in_uncompressed_and_in_order(tmp_path: Path) -> None:
    assert write(tmp_path, tree(tmp_path))
    found = unpacked((tmp_path / "initrd").read_bytes())
    order = found["modules"][1].decode().split()
    assert order == [f"/modules.d/{name}.ko" for name in ("virtio_ring", "virtio", "virtio_blk", "virtio_net", "ext4")]
    contents = [found[name.removeprefix("/")][1] for name in order]
    assert contents == [b"ring", b"virtio", b"block", b"net", b"ext4"]
    assert found["bin/busybox"] == (stat.S_IFREG | 0o755, b"static")
    assert found["init"][1].startswith(b"#!/bin/busybox sh")


def test_a_module_compressed_with_zstd(tmp_path: Path) -> None:
    modules = tree(tmp_path, dep=DEP.replace("ext4.ko.gz", "ext4.ko.zst"))
    target = modules / "lib/modules/6.1.0/kernel/fs/ext4/ext4.ko.zst"
    subprocess.run(["zstd", "--quiet", "-", "-o", target], input=b"zstandard", check=True)
    assert write(tmp_path, modules)
    assert unpacked((tmp_path / "initrd").read_bytes())["modules.d/ext4.ko"][1] == b"zstandard"


def test_nothing_is_needed_when_all_is_built_in(tmp_path: Path) -> None:
    builtin = "".join(f"kernel/{name}.ko\n" for name in WANTED)
    assert not write(tmp_path, tree(tmp_path, dep="", builtin=builtin))
    assert not (tmp_path / "initrd").exists()


def test_a_kernel_without_a_driver_that_guests_need(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this kernel has no virtio_pci"):
        write(tmp_path, tree(tmp_path, builtin=""))


def test_modules_of_another_release(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no modules of kernel 6\.2\.0"):
        write(tmp_path, tree(tmp_path), release="6.2.0")
