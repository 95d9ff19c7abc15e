"""The user's own kernel tree, read in place and never written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.files import digest_of, manifest_of
from kdevops.git import read_work_tree
from kdevops.kernel.toolchain import Architecture
from kdevops.kernel.tree import Identity, check_clean, check_tree

_OURS = ("lab.yaml", "baselines")
"""Files of kdevops that users keep in their kernel tree. Changing them does not change the kernel."""


@dataclass(frozen=True, slots=True)
class PathSource:
    """The tree at the absolute `path`. Its `identify` raises UserError if it is not a kernel tree, or was built in place."""

    path: Path
    architecture: Architecture
    in_place: bool = True

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    async def identify(self) -> Identity:
        """By content if the tree is the top of a git work tree, else by path, size and time of every file."""
        check_tree(self.path)
        check_clean(self.path, self.architecture.arch, self.architecture.source)
        if found := await read_work_tree(self.path, without=_OURS):
            return Identity(digest_of(["git", found.content]), found.commit, found.diff_sha256)
        return Identity(digest_of(["manifest", str(self.path), manifest_of(self.path, without=_OURS)]))

    async def tree(self, identity: Identity) -> Path:
        """The path itself."""
        return self.path
