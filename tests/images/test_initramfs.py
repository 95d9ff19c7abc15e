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
from kdevops.images.base import BaseImage
from kdevops.images.initramfs import (
    Entry,
    cpio,
    initramfs_modules,
    is_static,
    load_order,
    parse_modules_dep,
    recipe,
    write_initramfs,
)

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
    return tmp_path / "tree"


def modules_of(modules: Path, release: str = "6.1.0") -> list[Entry]:
    return asyncio.run(initramfs_modules(modules, release, wanted=WANTED))


def image(*, partition: int | None = 1, ours: bool = True) -> BaseImage:
    return BaseImage(Path("/x.raw"), "key", "raw", "PARTUUID=x-01", partition=partition, ours=ours)


def written(tmp_path: Path, made_for: BaseImage, modules: list[Entry]) -> dict[str, tuple[int, bytes]]:
    (tmp_path / "busybox").write_bytes(b"static")
    write_initramfs(tmp_path / "initrd", made_for, busybox=tmp_path / "busybox", modules=modules)
    return unpacked((tmp_path / "initrd").read_bytes())


def test_modules_are_in_uncompressed_and_in_order(tmp_path: Path) -> None:
    found = written(tmp_path, image(), modules_of(tree(tmp_path)))
    order = found["modules"][1].decode().split()
    assert order == [f"/modules.d/{name}.ko" for name in ("virtio_ring", "virtio", "virtio_blk", "virtio_net", "ext4")]
    contents = [found[name.removeprefix("/")][1] for name in order]
    assert contents == [b"ring", b"virtio", b"block", b"net", b"ext4"]
    assert found["bin/busybox"] == (stat.S_IFREG | 0o755, b"static")
    assert found["init"][1].startswith(b"#!/bin/busybox sh")


@pytest.mark.parametrize(("partition", "content"), [(3, b"3\n"), (None, b"\n")])
def test_the_roots_partition_is_told(tmp_path: Path, partition: int | None, content: bytes) -> None:
    assert written(tmp_path, image(partition=partition), [])["partition"][1] == content


def test_only_an_image_of_others_is_brought_an_sshd(tmp_path: Path) -> None:
    brought = {"foreign", "kdevops-sshd.service", "sshd.conf"}
    assert brought <= written(tmp_path, image(ours=False), []).keys()
    assert not brought & written(tmp_path, image(), []).keys()


def test_the_recipe_knows_what_is_in_it() -> None:
    images = [image(), image(partition=2), image(partition=None), image(ours=False)]
    assert len({recipe(each) for each in images}) == len(images)


def test_a_module_compressed_with_zstd(tmp_path: Path) -> None:
    modules = tree(tmp_path, dep=DEP.replace("ext4.ko.gz", "ext4.ko.zst"))
    target = modules / "lib/modules/6.1.0/kernel/fs/ext4/ext4.ko.zst"
    subprocess.run(["zstd", "--quiet", "-", "-o", target], input=b"zstandard", check=True)
    assert {name: content for name, _, content in modules_of(modules)}["modules.d/ext4.ko"] == b"zstandard"


def test_nothing_is_needed_when_all_is_built_in(tmp_path: Path) -> None:
    builtin = "".join(f"kernel/{name}.ko\n" for name in WANTED)
    assert modules_of(tree(tmp_path, dep="", builtin=builtin)) == []


def test_a_kernel_without_a_driver_that_guests_need(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this kernel lacks virtio_pci"):
        modules_of(tree(tmp_path, builtin=""))


def test_modules_of_another_release(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no modules for kernel 6\.2\.0"):
        modules_of(tree(tmp_path), release="6.2.0")


def test_static_programs_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    for name, options in (("static", ["-static"]), ("dynamic", [])):
        subprocess.run(["gcc", *options, "-o", tmp_path / name, tmp_path / "main.c"], check=True)
    assert is_static(tmp_path / "static")
    assert not is_static(tmp_path / "dynamic")
    assert not is_static(tmp_path / "main.c")


@given(st.binary(max_size=200))
def test_any_program_is_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-program"
    for data in (content, b"\x7fELF\x02\x01" + content):
        path.write_bytes(data)
        is_static(path)
