"""The initramfs for a kernel with disk drivers as modules, or for an image that is not ours; other guests need none."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from kdevops.errors import UserError
from kdevops.images import initramfs
from kdevops.images.image import BaseImage
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.options import parse_config
from kdevops.process import run


async def initrd_for(artifact: Artifact, image: BaseImage, cache: Path) -> Path | None:
    """The initramfs this kernel needs with this image, made once; None if it needs none.

    Raises UserError if the kernel lacks a needed option, InfrastructureError without a static busybox.
    """
    if artifact.modules is None and image.ours:
        return None
    _check_config(artifact, image)
    name = hashlib.sha256(f"{artifact.key} {initramfs.recipe(image)}".encode()).hexdigest()[:32]
    path, needless = cache / "initramfs" / f"{name}.cpio", cache / "initramfs" / f"{name}.none"
    if path.exists() or needless.exists():
        return path if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    modules = await _modules(artifact, image, path.parent)
    if image.ours and not modules:
        needless.touch()
        return None
    initramfs.write_initramfs(path, image, busybox=image.busybox or initramfs.static_busybox(), modules=modules)
    return path


async def _modules(artifact: Artifact, image: BaseImage, scratch_parent: Path) -> list[initramfs.Entry]:
    if artifact.modules is None:
        return []
    # The root file system of an image that is not ours is unknown here; if the kernel cannot mount it, the boot shows that.
    certain = initramfs.ROOTS[:1] if image.ours else ()
    wanted = (*initramfs.DRIVERS, *certain)
    useful = (*initramfs.USEFUL, *(() if image.ours else initramfs.ROOTS))
    with tempfile.TemporaryDirectory(dir=scratch_parent, prefix=".new-") as scratch:
        await run(["tar", "-x", "-C", scratch, "-f", artifact.modules], timeout=600)
        return await initramfs.initramfs_modules(Path(scratch), artifact.release, wanted=wanted, useful=useful)


def _check_config(artifact: Artifact, image: BaseImage) -> None:
    """Raise UserError for a kernel without initramfs support and an image that is not ours: nobody could log in."""
    if image.ours or artifact.config is None:
        return
    if parse_config(artifact.config.read_text()).get("BLK_DEV_INITRD") != "y":
        raise UserError(
            f"the image {image.path.name} is not one of ours: its guests need a kernel with CONFIG_BLK_DEV_INITRD",
            hint="add CONFIG_BLK_DEV_INITRD=y to kernel.config.options",
        )
