"""A patched source: one copy per source and list of patch files, updated when either changes.

The copy is updated file by file, so that editing a patch recompiles only what it touches. Files are compared by size and
modification time first, then by content where these differ.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from kdevops.files import digest_of, published, write_atomic
from kdevops.kernel.patches import Patch, apply_patches
from kdevops.kernel.tree import Identity
from kdevops.process import run
from kdevops.progress import Progress, Report

_STEP = "kernel patches"
_LEFT_OUT = ".git"  # a kernel's history is bigger than its tree, and a build does not need it


async def patched_tree(tree: Path, identity: Identity, patches: tuple[Patch, ...], home: Path, report: Report) -> Path:
    """A copy of `tree` at `home`/tree with `patches` applied; the caller holds a lock on `home`.

    Raises UserError for a patch that does not apply.
    """
    copy, note = home / "tree", home / "holds"
    wanted = digest_of([identity.key, *[patch.sha256 for patch in patches]])
    if copy.is_dir() and note.is_file() and note.read_text() == wanted:
        return copy
    note.unlink(missing_ok=True)
    if not copy.is_dir():
        report(Progress(_STEP, "copying the source"))
        with published(copy) as temporary:
            entries = [entry for entry in tree.iterdir() if entry.name != _LEFT_OUT]
            await run(["cp", "-a", "--reflink=auto", "-t", temporary, "--", *entries], timeout=1800)
    else:
        _restore(tree, copy)
    report(Progress(_STEP, f"applying {len(patches)} patches"))
    await apply_patches(patches, copy)
    write_atomic(note, wanted)
    return copy


def _restore(tree: Path, copy: Path) -> None:
    """Make `copy` equal to `tree`. Changed files get the current time, so that make sees them even if the content is older."""
    theirs, ours = dict(_files(tree)), dict(_files(copy))
    for name in ours.keys() - theirs.keys():
        (copy / name).unlink()
    for name, status in theirs.items():
        if name in ours and _signature(ours[name]) == _signature(status):
            continue
        source, target = tree / name, copy / name
        if stat.S_ISLNK(status.st_mode):
            target.unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.readlink())
        elif name not in ours or target.is_symlink() or not filecmp.cmp(source, target, shallow=False):
            target.unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        else:
            target.chmod(status.st_mode)


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    # A link's time is when it was created, so compare only kind and size.
    return status.st_mode, status.st_size, 0 if stat.S_ISLNK(status.st_mode) else status.st_mtime_ns


def _files(top: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file and link below `top`, by relative path."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(top / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if name == _LEFT_OUT:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                else:
                    yield name, entry.stat(follow_symlinks=False)
