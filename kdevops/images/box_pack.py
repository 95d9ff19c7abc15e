"""The files of a Vagrant box, packed as a tar archive (Vagrant's documentation, "Box File Format")."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from string import Template

from kdevops.images.box_tree import DATA, BoxProvider
from kdevops.process import run

_TIMEOUT = 1800.0
_DISKS: dict[BoxProvider, tuple[str, tuple[str, ...]]] = {
    "libvirt": ("box.img", ("-O", "qcow2", "-c")),
    # The only VMDK format allowed with an OVF.
    "virtualbox": ("box.vmdk", ("-O", "vmdk", "-o", "subformat=streamOptimized")),
}
"""The disk's name in the box (vagrant-libvirt requires it) and the qemu-img options to make it."""


async def convert(raw: Path, provider: BoxProvider, log: Path) -> Path:
    """Convert the raw disk to the box's format, beside it."""
    name, options = _DISKS[provider]
    disk = raw.with_name(name)
    await run(["qemu-img", "convert", "-f", "raw", *options, raw, disk], timeout=_TIMEOUT, log_to=log)
    return disk


def write_box(box: Path, provider: BoxProvider, disk: Path, *, name: str, key: str, size: int) -> None:
    """Write `box` with the `disk` from `convert`; `size` (bytes) is the virtual disk size.

    Reproducible. The disk is compressed, so the archive is not.
    """
    with tarfile.open(box, "w", format=tarfile.GNU_FORMAT) as archive:
        for member, content in _texts(provider, disk, name=name, key=key, size=size).items():
            entry = _entry(member, len(content))
            archive.addfile(entry, io.BytesIO(content))
        with disk.open("rb") as file:
            archive.addfile(_entry(disk.name, disk.stat().st_size), file)


def templates(provider: BoxProvider) -> bytes:
    """The templates that a box is made from besides its disk, for the recipe's hash."""
    return b"\0".join((DATA / "box" / name).read_bytes() for name in _templates(provider))


def _templates(provider: BoxProvider) -> tuple[str, ...]:
    return (f"Vagrantfile.{provider}", *(("box.ovf",) if provider == "virtualbox" else ()))


def _texts(provider: BoxProvider, disk: Path, *, name: str, key: str, size: int) -> dict[str, bytes]:
    metadata: dict[str, object] = {"provider": provider}
    if provider == "libvirt":
        # vagrant-libvirt expects whole GiB.
        metadata |= {"format": "qcow2", "virtual_size": -(-size // (1 << 30))}
    values = {
        "name": name.replace("/", "-"),
        # 080027 is VirtualBox's prefix.
        "mac": f"080027{key[:6].upper()}",
        "disk": disk.name,
        "file_size": str(disk.stat().st_size),
        "capacity": str(size),
    }
    texts = {"metadata.json": json.dumps(metadata) + "\n"}
    for source in _templates(provider):
        text = Template((DATA / "box" / source).read_text())
        texts[source.removesuffix(f".{provider}")] = text.substitute(values)
    return {member: text.encode() for member, text in texts.items()}


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry
