"""The modules of a build as one reproducible tar."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from kdevops.kernel.make import Make

_FOR_BUILDING = ("build", "source")  # links to directories of this machine


async def pack_modules(make: Make, release: str, target: Path, scratch: Path) -> Path | None:
    """Install the modules below `scratch` (this runs depmod) and pack lib/modules/<release> into `target`.

    None when nothing was built as a module.
    """
    await make.run("modules_install", f"INSTALL_MOD_PATH={scratch}", "INSTALL_MOD_STRIP=1")
    tree = scratch / "lib/modules" / release
    for name in _FOR_BUILDING:
        (tree / name).unlink(missing_ok=True)
    if not any(tree.rglob("*.ko*")):
        shutil.rmtree(scratch)
        return None
    with tarfile.open(target, "w") as tar:
        pack_tree(scratch, tree, tar)
    shutil.rmtree(scratch)
    return target


def pack_tree(root: Path, tree: Path, tar: tarfile.TarFile) -> None:
    """Add everything below `tree`, with paths relative to `root`, owned by root and without times."""
    for path in sorted(tree.rglob("*")):
        entry = tar.gettarinfo(path, arcname=str(path.relative_to(root)))
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = "root"
        if path.is_file():
            with path.open("rb") as file:
                tar.addfile(entry, file)
        else:
            tar.addfile(entry)
