"""A kernel built elsewhere: an image file to boot."""

from __future__ import annotations

import re
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import digest_of, remembered_sha256
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.elf import read_build_id

_SETUP_MAGIC = b"HdrS"
_ARM64_MAGIC = b"ARM\x64"
_BANNER = re.compile(rb"Linux version ([\w.+~-]{1,64}) ")
_GZIP = b"\x1f\x8b"


def prebuilt(image: Path, cache: Path) -> Artifact:
    """The artifact for the image at `image`, used in place.

    If it lies in a build tree, that gives its build id (from vmlinux) and configuration; a configuration is also found
    beside it, as in /boot. Raises UserError if it is not a bootable kernel.
    """
    if not image.is_file():
        raise UserError(f"prebuilt kernel {image} {'is not a file' if image.exists() else 'does not exist'}")
    image = image.absolute()
    release = _release(image)
    vmlinux = _vmlinux(image)
    sha256 = remembered_sha256(image, cache)
    return Artifact(
        key=digest_of(["prebuilt", sha256]),
        directory=image.parent,
        image=image,
        release=release,
        build_id=read_build_id(vmlinux) if vmlinux else None,
        config=_config(image, release),
        vmlinux=vmlinux,
        record={"prebuilt": str(image), "sha256": sha256},
    )


def _release(image: Path) -> str:
    """What `uname -r` will say, from the image's header (x86: Documentation/arch/x86/boot.rst, field kernel_version)."""
    with image.open("rb") as file:
        head = file.read(64 << 10)
        if head[0x202:0x206] == _SETUP_MAGIC:
            at = int.from_bytes(head[0x20E:0x210], "little") + 0x200
            words = head[at : at + 128].partition(b"\0")[0].decode("ascii", "replace").split()
            return words[0] if words else "unknown"
        if head[0x38:0x3C] == _ARM64_MAGIC:
            match = _BANNER.search(head + file.read(256 << 20))
            return match[1].decode() if match else "unknown"
    if head.startswith(_GZIP):
        return "unknown"
    hint = "use arch/x86/boot/bzImage, not vmlinux" if head.startswith(b"\x7fELF") else None
    raise UserError(f"prebuilt kernel {image} is not a bootable kernel image (bzImage, Image or Image.gz)", hint=hint)


def _vmlinux(image: Path) -> Path | None:
    """The vmlinux in the build tree of `image`."""
    tree = _build_tree(image)
    return _as_old(tree / "vmlinux", image) if tree else None


def _config(image: Path, release: str) -> Path | None:
    """The .config of its build tree, /boot/config-<release> for /boot/vmlinuz-<release>, or that of our own artifact."""
    if tree := _build_tree(image):
        return _as_old(tree / ".config", image)
    ours = image.with_name("artifact.json").is_file()
    found = image.with_name("config" if ours else f"config-{release}")
    return found if found.is_file() and (ours or image.name.endswith(f"-{release}")) else None


def _build_tree(image: Path) -> Path | None:
    """The top of the build tree in which `image` is arch/<arch>/boot/<image>."""
    return image.parents[3] if image.parent.name == "boot" and image.parents[2].name == "arch" else None


def _as_old(path: Path, image: Path) -> Path | None:
    """`path` if it belongs to the build of `image`; None if it is missing or from a later build."""
    return path if path.is_file() and path.stat().st_mtime <= image.stat().st_mtime else None
