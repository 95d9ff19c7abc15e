"""Writes a tree of expunge lists: what differs from what is there."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import sync_filesystem
from kdevops.results.expunges.lists import MAX_BYTES
from kdevops.results.expunges.tree import Tree

_SCRATCH = ".expunges-"


@dataclass(frozen=True, slots=True)
class Written:
    """How many lists and links are new, and how many lists have got more lines."""

    lists: int = 0
    links: int = 0
    changed: int = 0

    def __bool__(self) -> bool:
        return bool(self.lists or self.links or self.changed)


def write(directory: Path, before: Tree, after: Tree) -> Written:
    """Make the tree in `directory`, which is `before`, what it is `after`. Hold a lock around it.

    Nothing is in its place before everything is on the disk; each file and link changes atomically. Raises UserError for a
    list that would be too large to be read, InfrastructureError when something cannot be written.
    """
    lists = {path: text for path, text in after.lists.items() if before.lists.get(path) != text}
    links = {path: target for path, target in after.links.items() if before.links.get(path) != target}
    if not lists and not links:
        return Written()
    for path, text in lists.items():
        if len(text) > MAX_BYTES // 4 and len(text.encode()) > MAX_BYTES:
            raise UserError(f"{directory / path} would be larger than {MAX_BYTES >> 20} MiB", hint="is it a list?")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for stale in directory.glob(f"{_SCRATCH}*"):  # of one that was killed
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=directory) as scratch:
            staged = Path(scratch)
            places = [*lists, *links]
            for number, text in enumerate(lists.values()):
                (staged / str(number)).write_text(text, encoding="utf-8")
            for number, target in enumerate(links.values(), start=len(lists)):
                (staged / str(number)).symlink_to(target)
            sync_filesystem(staged)
            for gone in before.links.keys() - after.links.keys():
                (directory / gone).unlink(missing_ok=True)
            for number, path in enumerate(places):
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (staged / str(number)).replace(directory / path)
            sync_filesystem(directory)
    except OSError as error:
        raise InfrastructureError(f"cannot write the expunge lists in {directory}: {error.strerror}") from error
    new = len(lists.keys() - before.lists.keys())
    return Written(new, len(links), len(lists) - new)
