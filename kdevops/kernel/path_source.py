"""A kernel tree of the user's own, built where it is and never written to."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandError
from kdevops.kernel.files import digest_of, manifest_of, sha256_of
from kdevops.kernel.toolchain import Architecture
from kdevops.kernel.tree import Identity, check_clean, check_tree
from kdevops.process import run


@dataclass(frozen=True, slots=True)
class PathSource:
    """The tree at the absolute `path`. Its `identify` raises UserError for no kernel tree, or one built in place."""

    path: Path
    architecture: Architecture
    in_place: bool = True

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    async def identify(self) -> Identity:
        """By content when the tree is the top of a git work tree, else by path, size and time of every file."""
        check_tree(self.path)
        check_clean(self.path, self.architecture.arch, self.architecture.source)
        if (self.path / ".git").exists() and shutil.which("git"):
            try:
                return await _identify_git(self.path)
            except CommandError:  # no commit yet, or a tree of somebody else that git will not look at
                pass
        return Identity(digest_of(["manifest", str(self.path), manifest_of(self.path)]))

    async def tree(self, identity: Identity) -> Path:
        """The path itself."""
        return self.path


async def _identify_git(path: Path) -> Identity:
    """Let git hash what is in the work tree, tracked and untracked, into a scratch index and a scratch object store.

    The user's repository is only read. The scratch index starts as a copy of theirs, so unchanged files are not read.
    """
    plain = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="kdevops-index-") as scratch:
        objects = Path(scratch, "objects")
        objects.mkdir()
        paths = await _git(
            path, plain, "rev-parse", "--path-format=absolute", "--git-path", "index", "--git-path", "objects"
        )
        index, theirs = paths.splitlines()
        head = await _git(path, plain, "rev-parse", "--verify", "HEAD^{commit}")
        env = {
            **plain,
            "GIT_INDEX_FILE": f"{scratch}/index",
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": theirs,
        }
        shutil.copy2(index, env["GIT_INDEX_FILE"])
        await _git(path, env, "add", "--all")
        content = await _git(path, env, "write-tree")
        if content == await _git(path, env, "rev-parse", f"{head}^{{tree}}"):
            return Identity(digest_of(["git", content]), head)
        difference = Path(scratch) / "diff"
        await _git(
            path,
            env,
            "diff",
            "--cached",
            "--binary",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            f"--output={difference}",
            head,
        )
        return Identity(digest_of(["git", content]), head, sha256_of(difference))


async def _git(path: Path, env: dict[str, str], *words: str) -> str:
    return (await run(["git", "-C", path, *words], env=env, timeout=600)).stdout.strip()
