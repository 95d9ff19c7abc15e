"""The initramfs of a kernel whose disk drivers are modules; a kernel that boots without has none."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from kdevops.guest.image import BaseImage
from kdevops.guest.initramfs import write_initramfs
from kdevops.kernel.artifact import Artifact
from kdevops.process import run


async def initrd_for(artifact: Artifact, image: BaseImage, cache: Path) -> Path | None:
    """The initramfs this kernel needs on this image, None when it needs none; made once.

    Raises UserError for a kernel that lacks a driver which a guest cannot do without.
    """
    if artifact.modules is None:
        return None
    name = hashlib.sha256(f"{artifact.key} {image.key}".encode()).hexdigest()[:32]
    path, needless = cache / "initramfs" / f"{name}.cpio", cache / "initramfs" / f"{name}.none"
    if path.exists() or needless.exists():
        return path if path.exists() else None
    if image.busybox is None:
        return None  # an image that is not ours may bring what it needs; if it does not, the boot says so
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as scratch:
        await run(["tar", "-x", "-C", scratch, "-f", artifact.modules], timeout=600)
        if await write_initramfs(path, Path(scratch), artifact.release, busybox=image.busybox):
            return path
    needless.touch()
    return None
