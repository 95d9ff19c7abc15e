"""The source of fstests: a commit of a git repository, or a tree of the user's own, which is only read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import digest_of, manifest_of
from kdevops.git import Repository, read_work_tree
from kdevops.lab.fstests import FstestsSource
from kdevops.progress import Report

STEP = "fstests source"
_NEEDED = ("check", "Makefile", "tests")


@dataclass(frozen=True, slots=True)
class FstestsTree:
    """fstests before the build. `key` differs whenever the content does.

    `commit` is the git commit, if there is one; `diff_sha256` the SHA-256 of the difference between it and the content
    (None: no difference). `day`: that on which the commit was made, ISO 8601, "" if there is none.
    """

    path: Path
    key: str
    commit: str | None = None
    diff_sha256: str | None = None
    day: str = ""

    @property
    def series(self) -> str:
        """The year of the commit: tests change, and what is known of them is kept by year."""
        return self.day[:4]

    @property
    def compiles(self) -> bool:
        """Whether the build needs more than make."""
        return (self.path / "configure.ac").exists()


async def fetch(source: FstestsSource, *, cache: Path, report: Report) -> FstestsTree:
    """The tree of this source: a checkout in the cache, or the user's own tree.

    Raises UserError for a tree that is not fstests and for an unknown ref (with the nearest names), InfrastructureError
    for a repository that cannot be reached.
    """
    if source.path:
        check_tree(source.path)
        return await _read(source.path)
    local = Path(source.repository).expanduser()
    repository = Repository(str(local.absolute()) if local.is_dir() else source.repository, cache, report, STEP)
    commit = await repository.commit_of(source.ref or "HEAD")
    tree = await repository.tree(commit, cache / "sources" / f"fstests-{commit}", check_tree)
    return FstestsTree(tree, _key_of(commit), commit, day=await repository.day_of(commit))


async def copy(tree: FstestsTree, target: Path) -> None:
    """Copy the files of `tree`, without .git and what git ignores, to the directory `target`, which must not exist.

    Raises UserError if a user's own tree has changed since it was fetched.
    """
    if not (tree.path / ".git").exists() and tree.commit:
        shutil.copytree(tree.path, target, symlinks=True)
    elif await _read(tree.path, export=target) != tree:
        raise UserError(f"{tree.path} was changed while it was read", hint="run the command again")


def check_tree(path: Path) -> None:
    """Raise UserError unless `path` is the top of an fstests tree."""
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise UserError(f"suites.fstests.source: {path} {what}")
    if lacks := _lacks(path):
        above = next((parent for parent in path.absolute().parents if not _lacks(parent)), None)
        raise UserError(
            f"suites.fstests.source: {path} is not fstests: it has no {lacks}",
            hint=f"its top directory is {above}: use that" if above else None,
        )


def _lacks(path: Path) -> str | None:
    return next((name for name in _NEEDED if not (path / name).exists()), None)


def _key_of(commit: str) -> str:
    return digest_of(["commit", commit])


async def _read(path: Path, export: Path | None = None) -> FstestsTree:
    """By content if the tree is the top of a git work tree, else by path, size and time of every file."""
    if found := await read_work_tree(path, export=export):
        key = digest_of(["git", found.content]) if found.diff_sha256 else _key_of(found.commit)
        return FstestsTree(path, key, found.commit, found.diff_sha256, found.day)
    if export:
        shutil.copytree(path, export, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    return FstestsTree(path, digest_of(["manifest", str(path.absolute()), manifest_of(path)]))
