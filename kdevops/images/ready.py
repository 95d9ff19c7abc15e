"""Ready images given in the lab: a file, or a URL with its hash. They are never written to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import tempfile
from pathlib import Path
from typing import Literal

from kdevops.download import download
from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.images.base import INIT, MARK, STEP, BaseImage
from kdevops.images.partitions import HEAD, root_of
from kdevops.images.store import making, publish
from kdevops.process import run
from kdevops.progress import Progress, Report

MAX_DOWNLOAD = 64 << 30
_QCOW2 = b"QFI\xfb"
_EXTERNAL_DATA = 1 << 2
# Unsupported formats by their first bytes.
_OTHER = {
    b"\x1f\x8b": "compressed with gzip", b"\xfd7zXZ\0": "compressed with xz", b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2", b"KDMV": "a VMDK image", b"vhdxfile": "a VHDX image", b"conectix": "a VHD image",
    b"<<< ": "a VirtualBox image",
}  # fmt: skip


async def image_from_file(path: Path, *, cache: Path, report: Report, lab_dir: Path | None) -> BaseImage:
    """The image at `path`, used in place. Raises UserError if it is not a usable image."""
    path = (lab_dir or Path.cwd()) / path.expanduser()
    if not path.is_file():
        raise UserError(
            f"image.path: no such file: {path}", hint="a relative path starts from the lab file's directory"
        )
    report(Progress(STEP, f"reading {path.name}"))
    digest = await asyncio.to_thread(_digest, path, cache / "images")
    image = await _described(path, digest)
    report(Progress(STEP, path.name, fraction=1.0, done=True))
    return image


async def image_from_url(url: str, sha256: str, *, cache: Path, report: Report) -> BaseImage:
    """The image at `url`, downloaded once. Raises UserError if its hash is not `sha256` or it is not a usable image."""
    store = cache / "images"
    name = f"{sha256[:32]}.img"
    if not (store / name).is_file():
        async with making(store, sha256[:32], report) as work:
            if not (store / name).is_file():
                await download(
                    url,
                    work / name,
                    sha256=sha256,
                    limit=MAX_DOWNLOAD,
                    step=STEP,
                    report=report,
                    schemes=("http", "https", "file"),
                )
                publish(work, store, [name])
    image = await _described(store / name, sha256)
    report(Progress(STEP, url.rpartition("/")[2], fraction=1.0, done=True))
    return image


async def _described(path: Path, sha256: str) -> BaseImage:
    kind = image_format(path)
    head = await _head(path, kind)
    root = root_of(head)
    if not root:
        raise UserError(
            f"{path} has no Linux partition and no Linux file system",
            hint="use an image of a whole, installed disk",
        )
    init = INIT if head.startswith(f"{MARK}kdevops\n".encode()) else None
    ours = head.startswith(MARK.encode())
    record = {"kind": "ready", "name": path.name, "sha256": sha256}
    return BaseImage(path, sha256[:32], kind, root.root, init, record, root.number, ours)


def image_format(path: Path) -> Literal["raw", "qcow2"]:
    """The format of `path`. Raises UserError for a qcow2 that refers to another file, and for unsupported formats.

    QEMU opens the files that a qcow2 refers to, so a stranger's image could expose any of the user's files to the guest:
    we check its header before any QEMU tool reads it (docs/interop/qcow2 in QEMU's tree).
    """
    with path.open("rb") as file:
        header = file.read(104)
    for magic, what in _OTHER.items():
        if header.startswith(magic):
            raise UserError(f"{path} is {what}", hint="decompress it, or convert it with qemu-img convert -O qcow2")
    if not header.startswith(_QCOW2):
        return "raw"
    if len(header) < 104:
        raise UserError(f"{path} is a truncated qcow2 image")
    version, backing = struct.unpack_from(">IQ", header, 4)
    (incompatible,) = struct.unpack_from(">Q", header, 72)
    if version not in {2, 3}:
        raise UserError(
            f"{path} is a qcow2 image of unknown version {version}", hint="convert it with qemu-img convert -O qcow2"
        )
    if backing:
        raise UserError(
            f"{path} has a backing file, so it is not a complete image", hint="merge them: qemu-img convert -O qcow2"
        )
    if version == 3 and incompatible & _EXTERNAL_DATA:
        raise UserError(f"{path} has an external data file", hint="merge them: qemu-img convert -O qcow2")
    return "qcow2"


async def _head(path: Path, kind: str) -> bytes:
    if kind == "raw":
        with path.open("rb") as file:
            return file.read(HEAD)
    with tempfile.TemporaryDirectory() as directory:
        part = Path(directory) / "head"
        await run(
            ["qemu-img", "dd", "-f", kind, "-O", "raw", f"bs={HEAD}", "count=1", f"if={path}", f"of={part}"], timeout=60
        )
        return part.read_bytes()


def _digest(path: Path, store: Path) -> str:
    """The file's SHA-256, cached while size, time and inode are unchanged."""
    status = path.stat()
    facts = json.dumps([str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino])
    known = store / f"ready-{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json"
    if known.is_file():
        return str(json.loads(known.read_text())["sha256"])
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InfrastructureError(f"cannot read the image {path}: {error.strerror}") from error
    write_atomic(known, json.dumps({"path": str(path), "sha256": digest}))
    return digest
